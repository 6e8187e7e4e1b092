"""Answers from the snapshot: what every serving worker holds, and all that it needs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flyball.decision import Source
from flyball.errors import BundleError, BundleOutdated
from flyball.instant import SECOND_US
from serving.snapshot.answer import (
    Answer,
    LimitsFrom,
    View,
    answer_json,
    rung_ends_us,
    rung_of,
    unknown_answer,
)
from serving.snapshot.frame import frame_length, open_frame
from serving.snapshot.layout import FRAME_HEADER_BYTES
from serving.snapshot.listing import Listing
from serving.snapshot.table import Table, open_table
from serving.snapshot.version import Version, base_name, bases_in, delta_path, old_files_in

#: How long a look at the kill switch stays good.
KILL_CHECK_US = SECOND_US // 4

_READ_BYTES = 1 << 22


class SnapshotReader:
    """The current snapshot of a directory; refuses what it cannot trust and keeps what it has.

    Parameters
    ----------
    directory:
        Where the publisher writes.
    key:
        The public key that its files must be signed with.
    kill:
        The kill switch's file; while it exists every arm is 1.

    Nothing is read until :meth:`refresh`. Answers may be asked for from any thread, also while
    another thread refreshes.
    """

    def __init__(self, directory: Path, key: Ed25519PublicKey, *, kill: Path | None = None) -> None:
        self._directory = directory
        self._key = key
        self._kill = kill
        self._killed = False
        self._kill_checked_us = -KILL_CHECK_US
        self._table: Table | None = None
        self._delta = ""  # the path of the table's delta file
        self._delta_at = 0
        self._view: View | None = None
        self._views = 0
        # When the view need not be looked at again: [from, until).
        self._settled_us = self._unsettled_us = 0
        self._refused: dict[tuple[int, int, int], BundleError] = {}
        self._error: BundleError | None = None
        self._listing = Listing(directory)
        self._lock = threading.Lock()

    @property
    def ready(self) -> bool:
        """Whether there is a snapshot to answer from."""
        return self._table is not None

    @property
    def version(self) -> Version | None:
        """The version that answers come from; None before the first."""
        table = self._table
        return None if table is None else table.version

    @property
    def etag(self) -> str:
        """The version as an HTTP entity tag (quoted)."""
        version = self.version
        return '"0"' if version is None else f'"{version}"'

    @property
    def error(self) -> BundleError | None:
        """Why the newest file was refused; None while all is well."""
        return self._error

    @property
    def created_us(self) -> int | None:
        """Wall-clock time at which the served version was written."""
        table = self._table
        return None if table is None else table.created_us

    @property
    def as_of_us(self) -> int | None:
        """The time that the served decisions are of."""
        table = self._table
        return None if table is None else table.as_of_us

    @property
    def tenants(self) -> int:
        """How many tenants the served version knows."""
        table = self._table
        return 0 if table is None else table.tenants

    @property
    def base_path(self) -> Path | None:
        """The base file that answers come from (its deltas lie beside it)."""
        table = self._table
        return None if table is None else self._directory / base_name(table.base)

    @property
    def standing(self) -> tuple[Version, bytes, Version, int] | None:
        """The base, its digest, the version, and how many bytes of the delta were taken."""
        with self._lock:
            table = self._table
            if table is None:
                return None
            return table.base, table.header.digest, table.version, self._delta_at

    def changed_since(self, version: Version) -> frozenset[str] | None:
        """Tenants that frames after ``version`` have changed; None where everybody may have."""
        table = self._table
        slots = None if table is None else table.changed_since(version)
        if table is None or slots is None:
            return None
        return frozenset(table.name(slot).decode("ascii") for slot in slots)

    def refresh(self) -> bool:
        """Take over what the publisher has written since; True if the version changed.

        The highest version that can be trusted counts.

        Never raises for bad files: what cannot be trusted is refused, :attr:`error` says why, and
        the version before stays served.
        """
        with self._lock:
            before = self.version
            self._error = None
            try:
                if self._table is None or not self._listing.holds():
                    self._listing.begin()
                    self._follow_bases()
                if self._table is not None:
                    self._follow_deltas(self._table)
            except BundleError as error:
                self._error = error
            except OSError as error:
                # Removed between listing and opening (a newer one is there), or not readable.
                self._error = BundleError(f"The snapshot cannot be read: {error}.")
            if self._error is not None:
                # What was refused is said at every look, for as long as it lies there.
                self._listing.forget()
            changed = self.version != before
            if changed:
                self._view = None
            return changed

    def _follow_bases(self) -> None:
        bases = bases_in(self._directory)
        served = self._table
        if not bases:
            self._refuse_old_format()
            return
        if served is not None and bases[0] < served.base:
            raise BundleOutdated(
                f"The newest snapshot on disk is {bases[0]}, but {served.version} is served.",
                "A snapshot never goes back; let the control loop write a new one.",
            )
        refused: BundleError | None = None
        for version in bases:
            if served is not None and version <= served.version:
                break
            try:
                self._table = self._open_unless_refused(version)
                self._delta = str(delta_path(self._directory / base_name(version)))
                self._delta_at = 0
                break
            except BundleError as error:
                # The next one may be good; the first reason is what people need to know.
                refused = refused or error
        if refused is not None:
            self._error = refused
        elif self._refused:
            self._refused = {}

    def _refuse_old_format(self) -> None:
        if self._table is None and old_files_in(self._directory):
            raise BundleOutdated(
                "The snapshot has format 1, which this version does not read.",
                "Start the control loop (flyball serve): it writes the snapshot anew.",
            )

    def _open_unless_refused(self, version: Version) -> Table:
        path = self._directory / base_name(version)
        status = path.stat()
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen in self._refused:
            raise self._refused[seen]
        try:
            table = open_table(path, self._key)
            if table.base != version:
                raise BundleOutdated(
                    f"{path.name} holds version {table.base}.",
                    "A snapshot never goes back; let the control loop write a new one.",
                )
        except BundleError as error:
            # Remembered, so that a bad file is not hashed again at every look.
            self._refused[seen] = error
            raise
        return table

    def _follow_deltas(self, table: Table) -> None:
        path = self._delta
        try:
            if os.stat(path).st_size <= self._delta_at:
                return
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            self._read_frames(handle, table)
        finally:
            os.close(handle)

    def _read_frames(self, handle: int, table: Table) -> None:
        # A frame that cannot be trusted is looked at again next time: it may be half written.
        while True:
            raw = os.pread(handle, _READ_BYTES, self._delta_at)
            length = frame_length(raw[:FRAME_HEADER_BYTES])
            if length is None:
                return
            if len(raw) < length:
                raw = os.pread(handle, length, self._delta_at)
                if len(raw) < length:
                    return
            table.apply(open_frame(self._key, raw[:length]))
            self._delta_at += length

    def _look(self, now_us: int) -> View | None:
        """The view for ``now_us``: same version, rung and kill state as before, or a new one."""
        view = self._view
        if view is not None and self._settled_us <= now_us < self._unsettled_us:
            return view
        table = self._table
        if table is None:
            return None
        version, created_us = table.version, table.created_us
        if not 0 <= now_us - self._kill_checked_us < KILL_CHECK_US:
            self._kill_checked_us = now_us
            self._killed = self._kill is not None and self._kill.exists()
        rung = rung_of(now_us - created_us)
        if (
            view is None
            or view.table is not table
            or view.version is not version
            or view.rung is not rung
            or view.killed is not self._killed
        ):
            view = self._view = View(table, rung, killed=self._killed)
            self._views += 1
        self._settled_us = now_us
        self._unsettled_us = min(
            self._kill_checked_us + KILL_CHECK_US, rung_ends_us(created_us, now_us)
        )
        return view

    def mark(self, now_us: int) -> int:
        """A number that is another one whenever any answer may be another one than before.

        For whoever remembers what follows from an answer, so as not to ask for it again.
        """
        self._look(now_us)
        return self._views

    def answer(self, name: str | bytes, now_us: int) -> bytes:
        """The decision's JSON for a tenant's id or alias at wall-clock time ``now_us``.

        Always answers: an unknown name gets m = 1 and ``"source":"unknown_tenant"``.
        """
        key = name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")
        known = self.known(key, now_us)
        if known is None:
            return answer_json(unknown_answer(key.decode("utf-8", "replace")))
        return known

    def known(self, name: bytes, now_us: int) -> bytes | None:
        """The same for a tenant's id or alias only; None where the name is neither."""
        # Asked for with every request: `_look` is called where it has something to do.
        view = self._view
        if view is None or not self._settled_us <= now_us < self._unsettled_us:
            view = self._look(now_us)
            if view is None:
                return None
        found = view.table.find(name)
        return None if found is None else view.json(found[1], found[2])

    def lookup(self, name: str | bytes, now_us: int) -> Answer:
        """The same answer as values."""
        view = self._look(now_us)
        key = name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")
        found = None if view is None else view.table.find(key)
        if view is None or found is None:
            return unknown_answer(key.decode("utf-8", "replace"))
        return view.answer(found[0])

    def answers(self, now_us: int) -> Iterator[bytes]:
        """The JSON of every tenant, in slot order."""
        view = self._look(now_us)
        if view is None:
            return
        for slot in range(view.table.tenants):
            yield view.json(view.table.name(slot), view.table.parts(slot))

    def limits_from(self, now_us: int) -> Iterator[tuple[str, LimitsFrom]]:
        """Every tenant with what its limits follow from, in slot order.

        A fraction of the cost of :meth:`answers`, for whoever needs the limits only: most tenants
        share theirs with many.
        """
        view = self._look(now_us)
        if view is None:
            return
        table = view.table
        for slot in range(table.tenants):
            yield table.name(slot).decode("ascii"), view.limits_from(slot)

    def rung(self, now_us: int) -> Source:
        """Which rung of the ladder answers come from now."""
        view = self._look(now_us)
        return Source.UNKNOWN_TENANT if view is None else view.rung
