"""The publisher's lease: who may write the snapshot now, and under which epoch.

It is renewed by a thread of its own, because deciding for everybody can take longer than it lasts.
A process that was stopped for longer finds its lease gone. What it was about to write then carries
an epoch that readers have left behind, so that even a write that had begun changes nothing.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from flyball.errors import FlyballError, Refused
from ledger.lease import PUBLISHER, LeaseStore
from serving.clock import wall_us
from serving.snapshot.version import newest_epoch

_RENEWALS = 3


class PublisherLease:
    """This process's claim to the lease; a fence for the snapshot's writer.

    Parameters
    ----------
    store:
        Where the lease is kept; every server that may publish must share it.
    directory:
        The snapshot's; the epoch becomes larger than any on disk.
    seconds:
        How long it lasts without being renewed.
    """

    def __init__(
        self,
        store: LeaseStore,
        directory: Path,
        *,
        seconds: int,
        now_us: Callable[[], int] = wall_us,
    ) -> None:
        self._store = store
        self._directory = directory
        self._lasts_us = seconds * 1_000_000
        self._now_us = now_us
        self._me = _this_process()
        self._epoch: int | None = None
        self._renewed_us = 0
        self._closing = threading.Event()
        self._keeper: threading.Thread | None = None
        self._log = structlog.get_logger("serving.publisher_lease")

    def hold(self) -> bool:
        """Take the lease if it is free; whether it is this process's now.

        Raises
        ------
        StorageError
            The store cannot be read or written.
        """
        held = self._store.lease(PUBLISHER)
        now_us = self._now_us()
        if held is not None and held.holder == self._me:
            if not 0 <= now_us - self._renewed_us < self._lasts_us // _RENEWALS:
                self._take(now_us, dead="")
        elif held is None or held.expires_us <= now_us or _is_dead(held.holder):
            self._take(now_us, dead="" if held is None else held.holder)
        else:
            self._epoch = None
        if self._epoch is not None:
            self._keep()
        return self._epoch is not None

    def epoch(self) -> int:
        """The epoch under which this process may publish now.

        Raises
        ------
        Refused
            The lease is another's.
        """
        if not self.hold() or self._epoch is None:
            raise Refused(
                "Another process publishes the snapshot now.",
                "This one stands by, and goes on when that one ends.",
            )
        return self._epoch

    def close(self) -> None:
        """Let another take it at once."""
        self._closing.set()
        if self._keeper is not None:
            self._keeper.join(timeout=5)
        if self._epoch is not None:
            try:
                self._store.drop_lease(PUBLISHER, self._me, now_us=self._now_us())
            except FlyballError as error:
                self._log.warning("lease_not_dropped", error=str(error))
            self._epoch = None

    def _take(self, now_us: int, *, dead: str) -> None:
        first = self._epoch is None
        lease = self._store.take_lease(
            PUBLISHER,
            self._me,
            now_us=now_us,
            expires_us=now_us + self._lasts_us,
            # Only at first: afterwards the newest on disk is this process's own.
            after_epoch=newest_epoch(self._directory) if first else 0,
            dead=dead if dead and _is_dead(dead) else "",
        )
        self._renewed_us = now_us
        self._epoch = lease.epoch if lease.holder == self._me else None

    def _keep(self) -> None:
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._renew_on, name="lease", daemon=True)
            self._keeper.start()

    def _renew_on(self) -> None:
        while not self._closing.wait(self._lasts_us / 1e6 / _RENEWALS):
            # One that was lost is not taken back here: what is in memory would be out of date.
            if self._epoch is None:
                continue
            try:
                held = self._store.lease(PUBLISHER)
                if held is not None and held.holder == self._me:
                    now_us = self._now_us()
                    self._store.take_lease(
                        PUBLISHER, self._me, now_us=now_us, expires_us=now_us + self._lasts_us
                    )
            except FlyballError as error:
                self._log.error("lease_not_renewed", error=str(error))


def _this_process() -> str:
    """A name for this process that no other ever has."""
    parts = (socket.gethostname(), *_place(), str(os.getpid()), _started(os.getpid()))
    return "/".join((*parts, secrets.token_hex(4)))


def _place() -> tuple[str, str]:
    """Where process ids mean what they mean here: this boot, this namespace; empty if unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return boot, str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return "", ""


def _started(pid: int) -> str:
    """When a process started, in ticks since boot; empty if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _is_dead(holder: str) -> bool:
    """Whether a holder is a process of this very machine that has ended."""
    parts = holder.split("/")
    if len(parts) != 6 or not parts[1] or (parts[1], parts[2]) != _place():
        return False
    return parts[3].isdecimal() and _started(int(parts[3])) != parts[4]
