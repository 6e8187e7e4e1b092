"""Entries as records, many at a time: a column for each part of the record.

Publishing ten thousand decisions one by one cost more than everything else that happens to them
until gateways have them; by columns it costs a third.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidInput
from serving.snapshot.entry import Entry, Vocabulary
from serving.snapshot.layout import (
    DELTA_ITEM,
    FOREIGN_ID,
    LARGE_LIMIT,
    NO_PROBABILITY,
    RECORD_BYTES,
    STEPS,
)

#: :data:`serving.snapshot.layout.RECORD` as a NumPy type.
RECORD_TYPE = np.dtype(
    [
        ("decision", "<u8"),
        ("base", "<u4"),
        ("name_offset", "<u4"),
        ("times", "<u4"),
        ("terms", "<u4"),
        ("upgrade", "<u2"),
        ("churn", "<u2"),
        ("arm", "<u2"),
        ("reasons", "<u2"),
        ("origin", "<u2"),
        ("name_length", "u1"),
        ("flags", "u1"),
    ]
)
#: A record in one piece: NumPy copies a field of a structure at a time, and these at once.
_WHOLE = np.dtype((np.void, RECORD_BYTES))
_ITEM_TYPE = np.dtype([("slot", "<u4"), ("record", _WHOLE)])
assert RECORD_TYPE.itemsize == RECORD_BYTES
assert _ITEM_TYPE.itemsize == DELTA_ITEM.size

_LARGEST_DIRECT = 0xFFFF_FFFF
_OWN_IDS = re.compile(r"(?:d_[0-9a-f]{16})*", re.ASCII).fullmatch
_OWN_ID_CHARS = 18

Records = NDArray[np.void]


def pack_entries(entries: Sequence[Entry], vocabulary: Vocabulary) -> Records:
    """A record of :data:`RECORD_TYPE` for each entry; what says where its name lies stays 0.

    Raises
    ------
    InvalidInput
        A value that does not fit a record.
    """
    records = np.zeros(len(entries), dtype=RECORD_TYPE)
    if not entries:
        return records
    try:
        _pack_decisions(records, [entry.decision_id for entry in entries], vocabulary)
        _pack_bases(records, [entry.base_limit or 0 for entry in entries], vocabulary)
        times = [(entry.decided_us, entry.period_end_us) for entry in entries]
        records["times"] = vocabulary.times.codes(times)
        records["arm"] = [entry.served_arm for entry in entries]
        numbers = vocabulary.shared_of(entries)
        shared = np.array(vocabulary.shared, dtype=np.int64)[numbers]
        for at, name in enumerate(("terms", "reasons", "origin")):
            records[name] = shared[:, at]
    except OverflowError as error:
        raise InvalidInput(f"A decision does not fit the snapshot: {error}.") from error
    records["upgrade"] = _steps([entry.upgrade_probability for entry in entries])
    records["churn"] = _steps([entry.churn_probability for entry in entries])
    return records


def records_at(raw: bytearray, slots: NDArray[np.int64]) -> Records:
    """Copies of some of the records that lie in ``raw`` end to end."""
    return np.frombuffer(raw, dtype=_WHOLE)[slots].view(RECORD_TYPE)


def put_records(raw: bytearray, slots: NDArray[np.int64], records: Records) -> None:
    """Replace some of the records that lie in ``raw`` end to end."""
    np.frombuffer(raw, dtype=_WHOLE)[slots] = records.view(_WHOLE)


def differ(some: Records, others: Records) -> NDArray[np.bool_]:
    """Which records are not the same bytes."""
    mine, theirs = (r.view(np.uint8).reshape(len(r), RECORD_BYTES) for r in (some, others))
    found: NDArray[np.bool_] = (mine != theirs).any(axis=1)
    return found


def items_of(slots: NDArray[np.int64], raw: bytearray) -> bytes:
    """Slots with their records as a delta frame has them."""
    items = np.empty(len(slots), dtype=_ITEM_TYPE)
    items["slot"] = slots
    items["record"] = np.frombuffer(raw, dtype=_WHOLE)[slots]
    return items.tobytes()


def _pack_decisions(records: Records, ids: list[str], vocabulary: Vocabulary) -> None:
    joined = "".join(ids)
    if set(map(len, ids)) == {_OWN_ID_CHARS} and _OWN_IDS(joined):
        digits = bytes.fromhex(joined.replace("d_", ""))
        records["decision"] = np.frombuffer(digits, dtype=">u8")
        return
    # Imported decisions may be named otherwise.
    own = [len(name) == _OWN_ID_CHARS and _OWN_IDS(name) is not None for name in ids]
    records["decision"] = [
        int(name[2:], 16) if mine else vocabulary.foreign_ids.code(name)
        for name, mine in zip(ids, own, strict=True)
    ]
    records["flags"] |= np.where(own, 0, FOREIGN_ID).astype(np.uint8)


def _pack_bases(records: Records, bases: list[int], vocabulary: Vocabulary) -> None:
    if max(bases) > _LARGEST_DIRECT:
        large = [base > _LARGEST_DIRECT for base in bases]
        bases = [
            vocabulary.limits.code(base) if far else base
            for base, far in zip(bases, large, strict=True)
        ]
        records["flags"] |= np.where(large, LARGE_LIMIT, 0).astype(np.uint8)
    records["base"] = bases


def _steps(probabilities: list[float | None]) -> NDArray[np.uint16]:
    values = np.array(probabilities, dtype=np.float64)  # None becomes NaN
    absent = np.isnan(values)
    outside = ~(absent | ((values >= 0.0) & (values <= 1.0)))
    if outside.any():
        _refuse_probability(values[outside][0])
    missing = np.count_nonzero(absent)
    if missing and missing != probabilities.count(None):
        _refuse_probability(np.nan)
    steps = np.where(absent, NO_PROBABILITY, np.rint(values * STEPS))
    return steps.astype(np.uint16)


def _refuse_probability(value: float) -> NoReturn:
    raise InvalidInput(f"probability {value} lies outside 0..1.", field="probability")
