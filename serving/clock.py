"""Time as an input: the wall clock, or the latest event's time."""

from __future__ import annotations

import time
from typing import Protocol

import duckdb

from flyball.errors import StorageError
from flyball.home import Home
from serving.settings import ClockKind
from telemetry.database import open_database, storage_errors
from telemetry.history_files import HistoryFile, history_relation, list_files


class Clock(Protocol):
    """Says what "now" is for decisions. Freshness is always judged by the wall clock."""

    def now_us(self) -> int:
        """Microseconds since 1970; never goes back."""
        ...


def wall_us() -> int:
    """Microseconds since 1970 by the machine's clock."""
    return time.time_ns() // 1_000


class WallClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return wall_us()


class EventClock:
    """The time of the latest event that was ever taken in: for replays and simulations.

    Before the first event it stands at the wall clock's time, because something must be said.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._cursor = 0
        self._latest_us: int | None = None
        self._history_version = -1

    def now_us(self) -> int:
        """The latest event's time in microseconds since 1970."""
        try:
            self._look()
        except StorageError:
            # The log is not readable just now: time stands still.
            if self._latest_us is None:
                raise
        return wall_us() if self._latest_us is None else self._latest_us

    def _look(self) -> None:
        if not self._home.events.exists():
            return
        connection = open_database(self._home.events, read_only=True)
        try:
            with storage_errors(self._home.events):
                versions = dict(connection.execute("SELECT name, value FROM state"))
                newest = connection.execute(
                    "SELECT max(time_us) FROM event WHERE sequence > ?", (self._cursor,)
                ).fetchall()
                files = list_files(connection) if self._imported(versions) else []
        finally:
            connection.close()
        self._note(newest[0][0])
        self._cursor = versions["sequence"]
        if files:
            self._note(self._latest_in(files))
        self._history_version = versions["history"]

    def _imported(self, versions: dict[str, int]) -> bool:
        return versions["history"] != self._history_version

    def _latest_in(self, files: list[HistoryFile]) -> int | None:
        last_day = max(file.event_day for file in files)
        newest = [file for file in files if file.event_day == last_day]
        connection = duckdb.connect()
        try:
            sql = f"SELECT max(time_us) FROM ({history_relation(self._home, newest)})"
            found: int | None = connection.execute(sql).fetchall()[0][0]
        finally:
            connection.close()
        return found

    def _note(self, time_us: int | None) -> None:
        if time_us is not None and (self._latest_us is None or time_us > self._latest_us):
            self._latest_us = time_us


def clock_for(kind: ClockKind, home: Home) -> Clock:
    """The clock that a setting or option names."""
    return EventClock(home) if kind is ClockKind.EVENTS else WallClock()
