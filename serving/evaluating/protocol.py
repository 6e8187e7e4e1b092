"""``:evaluate``, answered from the socket's bytes as the decision lookup is.

The server's ordinary way (a parser, a task, two messages for an answer) costs more than scoring
does. So a request that is exactly one complete, plain evaluation goes from the HTTP protocol object
to the evaluator, and its answer straight back to the socket. Everything else (a body in pieces or
that cannot be read, headers that we have not verified, a full queue, an error) goes to the parser
and :mod:`serving.evaluating.endpoint`, which gives the same answer at the ordinary price.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from flyball.decision import Source
from flyball.errors import InvalidInput
from serving.evaluating.document import document
from serving.evaluating.live_context import LiveContext, read_context
from serving.evaluating.verdict import NOTHING, Busy, Evaluated
from serving.rest.plain_request import (
    END,
    MAX_FAST_BYTES,
    MAX_REMEMBERED,
    NAME,
    answer_head,
    plain_headers,
)
from serving.snapshot.answer import Answer
from serving.worker import Worker

_START = b"POST /v1/decisions/"
_SKIP = len(_START)
_ACTION = b":evaluate HTTP/1.1\r\n"
# The request line keeps its end, so that a request without any header has one too.
_LINE = len(_ACTION) - 2
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,5})[ \t]*(?=\r\n|\Z)", re.IGNORECASE)
#: What may wait behind an evaluation before no more is read from the connection.
_MAX_BEHIND_BYTES = 1 << 16


class Desk:
    """What the connections of one worker share."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._verified: dict[bytes, tuple[int, int]] = {}
        self._head_source: object = None
        self._head = b""

    def read(self, data: bytes) -> tuple[bytes, LiveContext] | None:
        """Name and context of one whole request; None for anything that is not plain."""
        name_end = data.find(_ACTION, _SKIP)
        name = data[_SKIP:name_end]
        if name_end < 0 or not NAME(name) or b".." in name:
            return None
        line_end = name_end + _LINE
        end = data.find(END, line_end)
        body_at = end + len(END)
        if end < 0 or self._body_bytes(data[line_end:end]) != len(data) - body_at:
            return None
        try:
            return name, read_context(data[body_at:])
        except InvalidInput:
            return None

    def _body_bytes(self, block: bytes) -> int | None:
        """Length of the body after these headers; None where the parser must see to them.

        ``block`` begins with the end of the request line and lacks the last header's own.
        """
        epoch = self.worker.epoch
        held = self._verified.get(block)
        if held is not None and held[0] == epoch:
            return held[1]
        lengths = _LENGTH.findall(block)
        if len(lengths) > 1:
            return None
        # Any other mention of a length, or of another way to tell it, is a surprise.
        rest = _LENGTH.sub(b"", block)
        headers = plain_headers(rest[2:])
        if headers is None or not self.worker.may_look_up(
            headers.get(b"authorization"), headers.get(b"host")
        ):
            return None
        if len(self._verified) >= MAX_REMEMBERED:
            self._verified.clear()
        length = int(lengths[0]) if lengths else 0
        self._verified[block] = epoch, length
        return length

    def head(self, defaults: list[tuple[bytes, bytes]]) -> bytes:
        """The answer's first lines, up to the number of its bytes."""
        # uvicorn makes a new list every second, for the date; its identity is the cache's key.
        if defaults is not self._head_source:
            self._head = answer_head(defaults)
            self._head_source = defaults
        return self._head


class EvaluateProtocol(HttpToolsProtocol):
    """To be placed behind the lookup's protocol, which hands on what is not a lookup.

    An evaluation takes until the end of the event loop's turn. What comes on the connection
    meanwhile is kept back, so that answers leave in the order of their requests.
    """

    desk: Desk
    # The lookup's: whether the parser holds no part of a message, and whether something was
    # answered since the idle timer was set.
    _between_messages: bool
    _looked_up: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._asked = b""  # the request that is being evaluated
        self._asked_us = 0
        self._body = b""  # its answer, to be sent with those of its batch
        self._behind = b""
        self._leaving = False

    def data_received(self, data: bytes) -> None:
        """Queue a plain evaluation; hand everything else to the parser."""
        if self._asked:
            self._keep_back(data)
        elif not (
            self._between_messages
            and data.startswith(_START)
            and len(data) <= MAX_FAST_BYTES
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and not self.pipeline
            and self._ask(data)
        ):
            super().data_received(data)

    def _ask(self, data: bytes) -> bool:
        """Whether the request was taken on."""
        read = self.desk.read(data)
        if read is None:
            return False
        name, context = read
        worker = self.desk.worker
        now_us = worker.now_us()
        answer = worker.reader.lookup(name, now_us)
        if answer.source is Source.UNKNOWN_TENANT:
            self._reply_evaluated(document(answer, NOTHING, now_us))
            return True
        try:
            worker.evaluator.ask(self, answer, context)
        except Busy:
            return False
        self._asked, self._asked_us = data, now_us
        self._looked_up = True
        # Not even a lookup may be answered before this.
        self._between_messages = False
        return True

    def evaluated(self, answer: Answer, context: LiveContext, found: Evaluated) -> None:
        """Write the answer down."""
        self._body = document(answer, found, self._asked_us, endpoint=context.endpoint)

    def answered(self) -> None:
        """Answer, and go on with what came meanwhile."""
        if self.transport.is_closing():
            return
        self._reply_evaluated(self._body)
        self._asked = b""
        self._between_messages = True
        if self._leaving:
            self.transport.close()
        elif self._behind:
            self.flow.resume_reading()
            data, self._behind = self._behind, b""
            self.data_received(data)

    def not_evaluated(self, error: Exception) -> None:
        """Let the endpoint try, and say what is wrong."""
        if self.transport.is_closing():
            return
        data = self._asked + self._behind
        self._asked = self._behind = b""
        self._between_messages = True
        self.flow.resume_reading()
        super().data_received(data)
        if self._leaving:
            super().shutdown()

    def shutdown(self) -> None:
        """The server stops: the evaluation under way is answered first."""
        if self._asked:
            self._leaving = True
        else:
            super().shutdown()

    def _keep_back(self, data: bytes) -> None:
        self._behind += data
        if len(self._behind) > _MAX_BEHIND_BYTES:
            self.flow.pause_reading()

    def _reply_evaluated(self, body: bytes) -> None:
        head = self.desk.head(self.server_state.default_headers)
        self.transport.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        self.desk.worker.metrics.evaluated.inc()
        self._looked_up = True
        if self.timeout_keep_alive_task is None:
            # uvicorn arms its idle timer after its own answers only.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )


def with_evaluation(lookup: type[asyncio.Protocol], worker: Worker) -> type[asyncio.Protocol]:
    """The lookup's protocol class of one worker, with evaluations behind it."""
    return type("WorkerProtocol", (lookup, EvaluateProtocol), {"desk": Desk(worker)})
