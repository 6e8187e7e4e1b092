"""The decision lookup, answered from the socket's bytes before any framework sees them.

``GET /v1/decisions/{tenantId}`` is asked for at the rate of the gateway's own traffic, so it is
answered inside the HTTP protocol object: one slice for the name, one snapshot lookup, one write.
Everything that is not exactly one complete, plain lookup (a body, a query, an escape, an upgrade,
pipelining, a slow reader, a name or header we have not verified) goes to the ordinary parser and
the ASGI application, which gives the same answer at the ordinary price. The two are compared by a
property test. Measured in ``benchmarks/serving.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.rest.plain_request import (
    END,
    MAX_FAST_BYTES,
    MAX_REMEMBERED,
    NAME,
    answer_head,
    plain_headers,
)

_START = b"GET /v1/decisions/"
_SKIP = len(_START)
_VERSION = b" HTTP/1.1\r\n"


class Lookup(Protocol):
    """What the fast path needs from the worker that it runs in."""

    def answer(self, name: bytes) -> bytes:
        """The JSON body for a tenant id or alias, for every name, without I/O."""

    def may_look_up(self, authorization: bytes | None, host: bytes | None) -> bool:
        """Whether a request with these headers may read decisions now."""

    @property
    def epoch(self) -> int:
        """Changes whenever an earlier ``may_look_up`` could be answered differently."""


class LookupProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the decision lookup in front; made by :func:`protocol_for`."""

    lookup: Lookup
    counted: Callable[[], None]
    remembered: dict[bytes, int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # True only where the parser holds no part of a message: bytes of a body whose request has
        # already been answered must never be read as a new request.
        self._between_messages = True
        self._looked_up = False
        self._head_source: object = None
        self._head = b""

    def on_message_begin(self) -> None:
        """Parser callback: a message has started."""
        self._between_messages = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Parser callback: the message, body included, has been read."""
        self._between_messages = True
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Answer a plain lookup at once; hand everything else to the parser."""
        if (
            self._between_messages
            and data.startswith(_START)
            and len(data) <= MAX_FAST_BYTES
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and not self.pipeline
            and data.find(END) == len(data) - 4
        ):
            line_end = data.find(_VERSION, _SKIP)
            name = data[_SKIP:line_end]
            if line_end > _SKIP and NAME(name) and b".." not in name:
                block = data[line_end + len(_VERSION) : -4]
                if self.remembered.get(block) == self.lookup.epoch or self._verified(block):
                    self._reply(self.lookup.answer(name))
                    return
        super().data_received(data)

    def _verified(self, block: bytes) -> bool:
        epoch = self.lookup.epoch
        headers = plain_headers(block)
        if headers is None or not self.lookup.may_look_up(
            headers.get(b"authorization"), headers.get(b"host")
        ):
            return False
        if len(self.remembered) >= MAX_REMEMBERED:
            self.remembered.clear()
        self.remembered[block] = epoch
        return True

    def _reply(self, body: bytes) -> None:
        defaults = self.server_state.default_headers
        # uvicorn makes a new list every second, for the date; its identity is the cache's key.
        if defaults is not self._head_source:
            self._head_source = defaults
            self._head = answer_head(defaults)
        self.transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        self._looked_up = True
        if self.timeout_keep_alive_task is None:
            # uvicorn arms its idle timer after its own answers only.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        self.counted()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; one that looked something up meanwhile has another turn.

        A flag, because asking the time at every lookup would cost more than it is worth.
        """
        if self._looked_up:
            self._looked_up = False
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
            return
        super().timeout_keep_alive_handler()


def protocol_for(lookup: Lookup, counted: Callable[[], None]) -> type[asyncio.Protocol]:
    """The protocol class for one worker, bound to its snapshot and its counter."""
    members = {"lookup": lookup, "counted": staticmethod(counted), "remembered": {}}
    return type("BoundLookupProtocol", (LookupProtocol,), members)
