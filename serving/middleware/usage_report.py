"""What passed and what was refused, added up by tenant and minute, and posted now and then.

One write for everything that a tenant did in a minute instead of one a request. What is posted is
first put into a spool directory, under identities that never change, and taken out when the service
has acknowledged it: posting again after a lost answer or a restart counts nothing twice. A killed
process loses what it had not yet put there: at most the counts of one interval.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from flyball.instant import MINUTE_US, format_instant

#: The service takes this many events at once.
MOST_EVENTS = 10_000
#: Batches kept while the service cannot be reached; beyond, the oldest are dropped and counted.
MOST_BATCHES = 1_000

#: Takes a batch of CloudEvents; True once it is durable there.
Post = Callable[[bytes], bool]


class UsageReport:
    """The counts of one process. :meth:`count` may be called from any thread.

    Parameters
    ----------
    spool:
        Directory for batches on their way; one for each process or shared, either is fine.
    source:
        What calls itself the source of these events, such as ``gateway/edge-1``.
    post:
        How a batch is sent.
    """

    def __init__(self, spool: Path, *, source: str, post: Post) -> None:
        self._spool = spool
        self._source = source
        self._post = post
        self._counts: dict[tuple[int, str, str], int] = {}
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        # Never used by another process, nor by this one after a restart.
        self._run = secrets.token_hex(8)
        self._batches = 0
        self._complaint = ""
        self._log = structlog.get_logger("serving.middleware")
        self.counted = 0
        self.dropped_batches = 0

    def count(self, tenant_id: str, meter: str, quantity: int, now_us: int) -> None:
        """Add to a tenant's minute."""
        key = (now_us - now_us % MINUTE_US, tenant_id, meter)
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + quantity
            self.counted += 1

    def flush(self) -> bool:
        """Spool what was counted and post what is spooled; True if nothing is left. Never raises.

        What cannot be spooled (a full disk) stays counted and is tried again.
        """
        with self._sending:
            try:
                self._put_away()
                emptied = self._send()
            except OSError as error:
                self._complain(str(error))
                return False
            self._complain("")
            return emptied

    def _complain(self, why: str) -> None:
        """Once for each trouble: it is tried again every few seconds."""
        if why and why != self._complaint:
            self._log.error("usage_not_spooled", path=str(self._spool), error=why)
        self._complaint = why

    def _put_away(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, {}
        rows = sorted(counts.items())
        try:
            while rows:
                self._write_batch(rows[:MOST_EVENTS])
                del rows[:MOST_EVENTS]
        finally:
            with self._lock:
                for key, quantity in rows:
                    self._counts[key] = self._counts.get(key, 0) + quantity

    def _write_batch(self, rows: Sequence[tuple[tuple[int, str, str], int]]) -> None:
        number = self._batches
        events = [
            {
                "specversion": "1.0",
                "id": f"{self._run}-{number}-{place}",
                "source": self._source,
                "type": meter,
                "subject": tenant_id,
                "time": format_instant(minute_us),
                "data": {"quantity": quantity},
            }
            for place, ((minute_us, tenant_id, meter), quantity) in enumerate(rows)
        ]
        self._spool.mkdir(parents=True, exist_ok=True)
        path = self._spool / f"{rows[0][0][0]:020d}-{self._run}-{number:08d}.json"
        partial = path.with_suffix(".part")
        try:
            with partial.open("wb") as file:
                file.write(json.dumps(events, separators=(",", ":")).encode())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        self._batches += 1

    def _send(self) -> bool:
        waiting = sorted(self._spool.glob("*.json"))
        for path in waiting[: max(0, len(waiting) - MOST_BATCHES)]:
            path.unlink(missing_ok=True)
            self.dropped_batches += 1
        for path in waiting[-MOST_BATCHES:]:
            try:
                body = path.read_bytes()
            except FileNotFoundError:
                continue  # another process was faster
            if not self._post(body):
                return False
            path.unlink(missing_ok=True)
        return True
