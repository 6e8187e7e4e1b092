"""Counters that every process of one machine shares: a file in memory, a lock for each group.

A gateway keeps its connections, so it talks to one worker for minutes and to another tomorrow: a
share of the limit for each worker would refuse what is allowed. Instead the rules of
:mod:`flyball.enforcement` run on counters that lie in a mapped file: whichever process a request
reaches, it is counted once, and the same counter is found after a worker's death or a restart.

The file is a table of groups of 16 slots. A counter's group follows from its name; a slot is given
to another counter only when what it held has drained (or its window is over), so nobody gets a
fresh bucket by being forgotten. A group that is full of busy counters (expected below one in a
million with a quarter of the slots in use) counts the next one in its own process only. A lock that
another process does not give back within a few milliseconds is not waited for: the request passes.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import mmap
import os
import struct
import time
from collections.abc import Iterable
from pathlib import Path

from flyball.enforcement.allowance import Allowance
from flyball.enforcement.bucket import Bucket
from flyball.enforcement.counters import Ask, Counters, Key, charges_of
from flyball.enforcement.terms import Terms
from flyball.enforcement.verdict import Verdict
from flyball.errors import ReadOnlyHome, StorageError
from serving.pace import Pace, Paced

MAGIC = b"FLYBCNT1"
GROUP_SLOTS = 16
#: Key, what is in use (128 bits), time (µs), limit, window, kind.
_SLOT = struct.Struct("<16s16sqqqB7x")
_GROUP_BYTES = GROUP_SLOTS * _SLOT.size
_HEADER_BYTES = _GROUP_BYTES

_FREE, _BUCKET, _ALLOWANCE = 0, 1, 2
#: How often and how long (seconds) a busy lock is asked for again: about 10 ms at most, half of
#: what a gateway waits for us.
_TRIES, _PAUSE = 60, 0.0001

DEFAULT_SLOTS = 262_144


#: A counter's digest, and its group.
Place = tuple[bytes, int]


class LockBusy(Exception):
    """Another process holds a group for longer than any request may wait."""


class SharedCounters(Counters):
    """The counters of one machine, as one of its processes sees them.

    Parameters
    ----------
    path:
        The file; created where it is missing. A damaged one, or one of another size, is replaced.
    slots:
        Counters that can be kept (a power of two, at least 16).

    Raises
    ------
    StorageError
        The file cannot be created or opened.

    Not for use from several threads of one process: locks are the process's.
    """

    def __init__(
        self, path: Path, *, slots: int = DEFAULT_SLOTS, longest_delay_us: int = 500_000
    ) -> None:
        super().__init__(longest_delay_us=longest_delay_us)
        self._groups = slots // GROUP_SLOTS
        self._handle = _open(path, _HEADER_BYTES + self._groups * _GROUP_BYTES)
        self._map = mmap.mmap(self._handle, _HEADER_BYTES + self._groups * _GROUP_BYTES)

    def admit(self, terms: Terms, ask: Ask, now_us: int) -> Verdict:
        """See :meth:`Counters.admit`; the counters are those of all processes.

        Raises
        ------
        LockBusy
            Nothing was counted.
        """
        charges = list(charges_of(terms, ask))
        keys = {charge.key: _digest(charge.key) for charge in charges}
        if not keys:
            return self._admit(charges, terms, ask, now_us)
        groups = sorted({self._group_of(digest) for digest in keys.values()})
        self._lock(groups)
        try:
            slots = {key: self._load(key, digest, now_us) for key, digest in keys.items()}
            verdict = self._admit(charges, terms, ask, now_us)
            for key, digest in keys.items():
                self._store(key, digest, slots[key])
            return verdict
        finally:
            self._unlock(groups)

    def place_of(self, key: Key) -> Place:
        """Where :meth:`pass_one` finds a counter; the same for ever."""
        digest = _digest(key)
        return digest, self._group_of(digest)

    def pass_one(self, pace: Pace, place: Place, now_us: int) -> Paced | None:
        """Count one unit towards a rate, where its counter has a slot already.

        Half of what :meth:`admit` costs, and the same for the counter. None: not now, or not so;
        nothing was counted, and :meth:`admit` is to be asked.

        Raises
        ------
        LockBusy
            Nothing was counted.
        """
        digest, group = place
        at = _HEADER_BYTES + group * _GROUP_BYTES
        self._lock((group,))
        try:
            slot = self._map.find(digest, at, at + _GROUP_BYTES)
            if slot < 0 or (slot - at) % _SLOT.size:
                return None
            _, raw, time_us, limit, window_us, kind = _SLOT.unpack_from(self._map, slot)
            if kind != _BUCKET:
                return None
            bucket = Bucket.resumed((int.from_bytes(raw, "little"), time_us, limit, window_us))
            passed = pace.pass_one(bucket, now_us)
            if passed is not None:
                self._write(slot, digest, *bucket.kept, _BUCKET)
            return passed
        finally:
            self._unlock((group,))

    def close(self) -> None:
        """Let go of the file; what was counted stays in it."""
        self._map.close()
        os.close(self._handle)

    def _group_of(self, digest: bytes) -> int:
        return int.from_bytes(digest[:8], "little") % self._groups

    def _load(self, key: Key, digest: bytes, now_us: int) -> int | None:
        """Where the counter's slot begins, its state taken in; None where there is no room."""
        at = _HEADER_BYTES + self._group_of(digest) * _GROUP_BYTES
        spare = None
        for slot in range(at, at + _GROUP_BYTES, _SLOT.size):
            name, raw, time_us, limit, window, kind = _SLOT.unpack_from(self._map, slot)
            if name == digest and kind != _FREE:
                level = int.from_bytes(raw, "little")
                if kind == _BUCKET:
                    self._buckets[key] = Bucket.resumed((level, time_us, limit, window))
                else:
                    allowance = Allowance()
                    allowance.resume(level, window, time_us)
                    self._allowances[key] = allowance
                return slot
            if spare is None and _is_idle(raw, time_us, limit, kind, now_us):
                spare = slot
        return spare

    def _store(self, key: Key, digest: bytes, slot: int | None) -> None:
        if slot is None:
            # No room: this counter lives in this process alone.
            return
        bucket = self._buckets.pop(key, None)
        if bucket is not None:
            level, time_us, limit, window = bucket.kept
            self._write(slot, digest, level, time_us, limit, window, _BUCKET)
            return
        allowance = self._allowances.pop(key, None)
        if allowance is not None:
            used, window, end_us = allowance.kept
            self._write(slot, digest, used, end_us, 0, window, _ALLOWANCE)

    def _write(
        self, slot: int, digest: bytes, level: int, time_us: int, limit: int, window: int, kind: int
    ) -> None:
        raw = level.to_bytes(16, "little")
        _SLOT.pack_into(self._map, slot, digest, raw, time_us, limit, window, kind)

    def _lock(self, groups: Iterable[int]) -> None:
        held = []
        for group in groups:
            for attempt in range(_TRIES):
                try:
                    fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, group)
                    held.append(group)
                    break
                except OSError as error:
                    if error.errno not in (errno.EAGAIN, errno.EACCES):
                        self._unlock(held)
                        raise
                # The other process needs microseconds; yielding first is nearly always enough.
                time.sleep(0 if attempt < 4 else _PAUSE)
            else:
                self._unlock(held)
                raise LockBusy

    def _unlock(self, groups: Iterable[int]) -> None:
        for group in groups:
            fcntl.lockf(self._handle, fcntl.LOCK_UN, 1, group)


def _is_idle(raw: bytes, time_us: int, limit: int, kind: int, now_us: int) -> bool:
    if kind == _FREE:
        return True
    if kind == _BUCKET:
        return int.from_bytes(raw, "little") <= limit * (now_us - time_us)
    return now_us >= time_us


def _digest(key: Key) -> bytes:
    text = "\x1f".join(key).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16, person=b"flyball-counter").digest()


def _open(path: Path, size: int) -> int:
    header = MAGIC + struct.pack("<Q", size)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(f"{path.name}.lock").open("ab") as lock:
            # One process prepares the file; the others wait and find it.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_sound(path, header, size):
                incoming = path.with_name(f".{path.name}.new")
                with incoming.open("wb") as file:
                    file.write(header)
                    file.truncate(size)
                # Replaced, never cut: another process may have the old one mapped.
                incoming.replace(path)
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise ReadOnlyHome(
                f"{path} cannot be written.", "Check the home's owner and mode."
            ) from error
        raise StorageError(f"{path}: {error.strerror}.", "Check the home directory.") from error


def _is_sound(path: Path, header: bytes, size: int) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(header)) == header and path.stat().st_size == size
    except FileNotFoundError:
        return False
