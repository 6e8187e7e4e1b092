"""Reading the feature table: one tenant's record, found in microseconds, checked before use."""

from __future__ import annotations

import mmap
import os
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from flyball.errors import BundleCorrupt
from serving.evaluating.layout import (
    ABSENT_WORD,
    FIXED,
    FORMAT,
    MAGIC,
    PREFIX,
    TableHeader,
    index_word,
    key_of,
    record_type,
)

_FLOAT = np.dtype("<f4")
_Word = TypeVar("_Word", int, str)
_MOST_MASKS = 1_024
#: A record caught half-written is whole again within microseconds.
_LOOKS = 3


class FeatureRow(msgspec.Struct, frozen=True, kw_only=True):
    """What the table says about one tenant.

    Money is in minor units a month, NaN where unknown. ``permitted`` are the arms that a move from
    the one in force could lead to; ``rules`` says what took others away. ``record`` is what the
    table holds, in the table's ``type``: many of them laid end to end are read at once. ``floor``
    is the lowest multiplier of the primary limit, in hundredths (0: none).
    """

    as_of_us: int
    demand_per_period: float
    mrr_minor: float
    upgrade_gain_minor: float
    downgrade_loss_minor: float
    unit_cost_minor: float
    permitted: tuple[int, ...]
    rules: tuple[str, ...]
    segment: str
    plan: str
    model_segment: int
    record: bytes
    doses: int
    floor: int

    @property
    def dose(self) -> NDArray[np.float32]:
        """Float32 [A] in the order of the header's ``dose_arms``; read-only."""
        return np.frombuffer(self.record, _FLOAT, self.doses, FIXED.size)

    @property
    def features(self) -> NDArray[np.float32]:
        """Float32 [F] in the header's order; read-only."""
        return np.frombuffer(self.record, _FLOAT, -1, FIXED.size + _FLOAT.itemsize * self.doses)


class FeatureTable:
    """One version of the file, mapped. Safe to read while the control loop writes.

    Raises
    ------
    BundleCorrupt
        Not a feature table, damaged, or of an unknown format.
    OSError
        It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._take_in(path)
        except BaseException:
            # A damaged file is looked at again and again; each time it must be let go of.
            self.close()
            raise

    def _take_in(self, path: Path) -> None:
        status = os.fstat(self._handle)
        self.stamp = (status.st_dev, status.st_ino)
        if status.st_size < PREFIX.size:
            raise _damaged(path)
        self._map = mmap.mmap(self._handle, status.st_size, access=mmap.ACCESS_READ)
        magic, number, header_bytes, tenants, size, checksum = PREFIX.unpack_from(self._map)
        text = self._map[PREFIX.size : PREFIX.size + header_bytes]
        index_at = PREFIX.size + header_bytes
        self._records_at = index_at + 8 * tenants
        if magic != MAGIC or number != FORMAT or zlib.crc32(text) != checksum:
            raise _damaged(path)
        try:
            self.header = msgspec.json.decode(text, type=TableHeader)
        except msgspec.MsgspecError as error:
            raise _damaged(path) from error
        self._size: int = size
        #: One record as a NumPy type.
        self.type = record_type(len(self.header.dose_arms), len(self.header.features))
        if self.type.itemsize != size or len(self._map) < self._records_at + size * tenants:
            raise _damaged(path)
        self._words = little_endian(memoryview(self._map)[index_at : self._records_at])
        self._tenants: int = tenants
        self._later: dict[bytes, int] = {}
        self._seen: int = tenants
        self._arms_of: dict[int, tuple[int, ...]] = {}
        self._rules_of: dict[int, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return self._seen

    def grow(self) -> None:
        """Take notice of tenants appended since."""
        length = os.fstat(self._handle).st_size
        records = (length - self._records_at) // self._size
        if records <= self._seen:
            return
        mapped = mmap.mmap(self._handle, length, access=mmap.ACCESS_READ)
        for slot in range(self._seen, records):
            at = self._records_at + slot * self._size
            self._later[mapped[at + 8 : at + 24]] = slot
        # Replaced, not resized: another thread may be reading from the one before.
        self._map, self._seen = mapped, records

    def row(self, tenant_id: str) -> FeatureRow | None:
        """What is known of a tenant; None where it has no sound record."""
        key = key_of(tenant_id)
        slot = self._later.get(key)
        if slot is None:
            slot = self._slot_of(key)
        if slot is None:
            return None
        at = self._records_at + slot * self._size
        for _ in range(_LOOKS):
            raw = self._map[at : at + self._size]
            if zlib.crc32(memoryview(raw)[4:]) == int.from_bytes(raw[:4], "little"):
                return self._read(raw)
        return None

    def _slot_of(self, key: bytes) -> int | None:
        word = index_word(key)
        slot = bisect_left(self._words, word)
        while slot < self._tenants and self._words[slot] == word:
            at = self._records_at + slot * self._size
            if self._map[at + 8 : at + 24] == key:
                return slot
            slot += 1
        return None

    def _read(self, raw: bytes) -> FeatureRow:
        header = self.header
        (
            _,
            floor,
            _,
            as_of_us,
            demand,
            mrr,
            gain,
            loss,
            cost,
            permitted,
            segment,
            plan,
            rules,
            index,
        ) = FIXED.unpack_from(raw)
        return FeatureRow(
            as_of_us=as_of_us,
            demand_per_period=demand,
            mrr_minor=mrr,
            upgrade_gain_minor=gain,
            downgrade_loss_minor=loss,
            unit_cost_minor=cost,
            permitted=self._arms_of.get(permitted) or self._arms(permitted),
            rules=self._rules_of.get(rules) or self._rules(rules),
            segment=_word(header.segments, segment),
            plan=_word(header.plans, plan),
            model_segment=index,
            record=raw,
            doses=len(header.dose_arms),
            floor=floor,
        )

    def _arms(self, mask: int) -> tuple[int, ...]:
        return _remembered(self._arms_of, mask, self.header.arms)

    def _rules(self, mask: int) -> tuple[str, ...]:
        return _remembered(self._rules_of, mask, self.header.rules)

    def close(self) -> None:
        """Let go of the file; what is still being read stays mapped until then."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def little_endian(raw: memoryview, byteorder: str = sys.byteorder) -> Sequence[int]:
    """Little-endian uint64s laid end to end, as numbers; bisected in C without an array each time.

    Mapped as they are where ``byteorder`` (this machine's) is that of the file, else turned round.
    """
    if byteorder == "little":
        return raw.cast("Q")
    words = array("Q", raw.tobytes())
    words.byteswap()
    return words


def _remembered(
    known: dict[int, tuple[_Word, ...]], mask: int, words: tuple[_Word, ...]
) -> tuple[_Word, ...]:
    """The words whose bits are set; few masks are in use, but a damaged file may hold any."""
    if len(known) >= _MOST_MASKS:
        known.clear()
    found = known[mask] = tuple(word for at, word in enumerate(words) if mask >> at & 1)
    return found


def _word(words: tuple[str, ...], code: int) -> str:
    return "" if code == ABSENT_WORD or code >= len(words) else words[code]


def _damaged(path: Path) -> BundleCorrupt:
    return BundleCorrupt(
        f"{path.name} is not a feature table of this version.",
        "The control loop writes a new one with its next full pass.",
    )
