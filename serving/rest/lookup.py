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
from serving.tally import Tally

#: What stands before the name in the first line of a plain lookup, its length, and what follows.
_START = b"GET /v1/decisions/"
_SKIP = len(_START)
_VERSION = b" HTTP/1.1\r\n"
#: Ends no request: what a connection expects before its first lookup.
_NOTHING = b"\0"
#: The number of a body's bytes and what follows it, by that number.
_LENGTHS = tuple(b"%d\r\n\r\n" % length for length in range(4_096))


class Epoch(Protocol):
    """Something that counts up whenever an earlier verdict could be another one."""

    epoch: int


class Lookup(Protocol):
    """What the fast path needs from the worker that it runs in."""

    @property
    def tokens(self) -> Epoch:
        """Changes its epoch whenever an earlier ``may_look_up`` could be answered differently."""

    @property
    def tally(self) -> Tally:
        """Where lookups are counted."""

    def known(self, name: bytes) -> bytes | None:
        """The JSON body for a tenant id or alias, without I/O; None for any other name."""

    def answer(self, name: bytes) -> bytes:
        """The JSON body for every name."""

    def may_look_up(self, authorization: bytes | None, host: bytes | None) -> bool:
        """Whether a request with these headers may read decisions now."""


class LookupProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the decision lookup in front; made by :func:`protocol_for`."""

    lookup: Lookup
    known: Callable[[bytes], bytes | None]
    tokens: Epoch
    tally: Tally
    remembered: dict[bytes, int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # True only where the parser holds no part of a message: bytes of a body whose request has
        # already been answered must never be read as a new request.
        self._between_messages = True
        self._looked_up = False
        self._head_source: object = None
        self._head = b""
        # What followed the name in this connection's last lookup, verified under that epoch.
        self._rest = _NOTHING
        self._rest_length = len(_NOTHING)
        self._rest_epoch = -1

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
            and (self.cycle is None or (self.cycle.response_complete and not self.pipeline))
            and not self.flow.write_paused
        ):
            if data.endswith(self._rest) and self._rest_epoch == self.tokens.epoch:
                name = data[_SKIP : -self._rest_length]
                # Names in the snapshot were checked when they got there: one that is equal to one
                # of them holds no space or line end, so the rest is all that follows it.
                body = self.known(name)
            else:
                name = self._read(data)
                body = self.known(name) if name else None
            if body is None and name and NAME(name) and b".." not in name:
                body = self.lookup.answer(name)
            if body is not None:
                self._reply(body)
                return
        super().data_received(data)

    def _read(self, data: bytes) -> bytes:
        """The name that a request asks for, its headers verified; empty if it is not plain."""
        line_end = data.find(_VERSION, _SKIP)
        name = data[_SKIP:line_end]
        if (
            line_end <= _SKIP
            or data.find(END) != len(data) - len(END)
            or not NAME(name)
            or b".." in name
        ):
            return b""
        block = data[line_end + len(_VERSION) : -len(END)]
        epoch = self.tokens.epoch
        if self.remembered.get(block) != epoch and not self._verified(block, epoch):
            return b""
        self._rest, self._rest_epoch = data[line_end:], epoch
        self._rest_length = len(self._rest)
        return name

    def _verified(self, block: bytes, epoch: int) -> bool:
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
        length = len(body)
        told = _LENGTHS[length] if length < len(_LENGTHS) else b"%d\r\n\r\n" % length
        self.transport.write(b"".join((self._head, told, body)))
        self._looked_up = True
        if self.timeout_keep_alive_task is None:
            # uvicorn arms its idle timer after its own answers only.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        self.tally.lookups += 1

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


def protocol_for(lookup: Lookup) -> type[asyncio.Protocol]:
    """The protocol class for one worker, bound to its snapshot, its tokens and its tally."""
    members = {
        "lookup": lookup,
        "known": staticmethod(lookup.known),
        "tokens": lookup.tokens,
        "tally": lookup.tally,
        "remembered": {},
    }
    return type("BoundLookupProtocol", (LookupProtocol,), members)
