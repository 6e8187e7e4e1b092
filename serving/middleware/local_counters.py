"""Counters in this process's memory, with allowances kept in a file over restarts."""

from __future__ import annotations

import fcntl
import json
import os
from itertools import count
from pathlib import Path
from typing import Protocol

import structlog

from flyball.enforcement.counters import Ask, Key
from flyball.enforcement.terms import Terms
from flyball.enforcement.verdict import Verdict
from serving.middleware.paced_counters import PacedCounters


class CounterStore(Protocol):
    """Where requests are counted: in memory, or shared by several nodes."""

    @property
    def immediate(self) -> bool:
        """Whether nothing here ever waits: then no deadline is needed."""

    @property
    def degraded(self) -> bool:
        """Whether counts are, for now, kept elsewhere than they should be."""

    async def admit(self, terms: Terms, ask: Ask, now_us: int) -> Verdict:
        """Count a request, or refuse it and count nothing."""

    async def give_back(self, terms: Terms, ask: Ask, now_us: int) -> None:
        """Undo an admitted request that was not served."""

    async def charge(self, terms: Terms, meter: str, units: int, now_us: int) -> None:
        """Count units that are known only after the answer."""

    def open(self) -> None:
        """The process begins to count."""

    def upkeep(self, now_us: int) -> None:
        """Forget what is idle, keep what must outlive the process."""

    def close(self) -> None:
        """The process has stopped counting."""


class LocalCounters:
    """A :class:`CounterStore` in memory: exact for one process, which is what it counts.

    ``keep`` is the directory for allowances (None: they start anew with the process). Each of the
    processes that share it takes a file of its own there, also the one of a process that has ended.
    Buckets are not kept: after a restart a tenant has its burst again, once.
    """

    immediate = True
    degraded = False

    def __init__(self, counters: PacedCounters | None = None, *, keep: Path | None = None) -> None:
        # Not `or`: counters that count nothing yet are empty, and those are the ones to use.
        self.counters = PacedCounters() if counters is None else counters
        self._folder = keep
        self._keep: Path | None = None
        self._held = -1
        self._log = structlog.get_logger("serving.middleware")

    def open(self) -> None:
        """Go on from what was kept. Never raises: without it allowances start anew."""
        if self._folder is None or self._keep is not None:
            return
        try:
            self._keep = self._claim(self._folder)
        except OSError as error:
            self._log.warning("allowances_not_kept", error=str(error))
            return
        self.counters.resume_allowances(self._read(self._keep))

    def _claim(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number in count():
            path = folder / f"allowances-{number}.json"
            handle = os.open(
                path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                continue
            self._held = handle  # until the process ends, or close
            return path
        raise AssertionError("count never ends")

    async def admit(self, terms: Terms, ask: Ask, now_us: int) -> Verdict:
        """See :class:`CounterStore`."""
        return self.counters.admit(terms, ask, now_us)

    async def give_back(self, terms: Terms, ask: Ask, now_us: int) -> None:
        """See :class:`CounterStore`."""
        self.counters.give_back(terms, ask)

    async def charge(self, terms: Terms, meter: str, units: int, now_us: int) -> None:
        """See :class:`CounterStore`."""
        self.counters.charge(terms, meter, units, now_us)

    def close(self) -> None:
        """Let another process go on from what was kept."""
        if self._held >= 0:
            os.close(self._held)
            self._held, self._keep = -1, None

    def upkeep(self, now_us: int) -> None:
        """See :class:`CounterStore`. Never raises."""
        self.counters.forget_idle(now_us)
        if self._keep is None:
            return
        kept = [[*key, *state] for key, state in self.counters.kept_allowances().items()]
        partial = self._keep.with_name(f".{self._keep.name}.{os.getpid()}.part")
        try:
            partial.write_text(json.dumps(kept))
            partial.replace(self._keep)
        except OSError as error:
            self._log.warning("allowances_not_kept", error=str(error))

    def _read(self, path: Path) -> dict[Key, tuple[int, int, int]]:
        try:
            rows = json.loads(path.read_text())
            return {
                (str(tenant), str(meter), str(pattern)): (int(used), int(seconds), int(end_us))
                for tenant, meter, pattern, used, seconds, end_us in rows
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError) as error:
            self._log.warning("allowances_unreadable", path=str(path), error=str(error))
            return {}
