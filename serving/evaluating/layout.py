"""The feature table's file: a JSON header, a sorted index, and fixed-size records.

The control loop writes it next to the snapshot; workers map it. Records are overwritten in place
when a tenant is decided again, so each carries a checksum: a reader that catches one half-written
sees a checksum that does not fit, and looks again. Tenants that come between two full passes are
appended. Little-endian throughout; see ``docs/reference/evaluate.md``.
"""

from __future__ import annotations

import hashlib
import struct
from functools import cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import numpy as np

MAGIC = b"FLYBFEAT"
FORMAT = 1
FILE_NAME = "features.fbt"

#: Magic, format, header bytes, tenants in the index, bytes a record, checksum of the header JSON.
PREFIX = struct.Struct("<8sIIQII")

#: What precedes doses and features in a record; see :func:`record_type`.
FIXED = struct.Struct("<II16sqdddddQHHII")

ABSENT_WORD = 0xFFFF

_KEY_STATE = hashlib.blake2b(digest_size=16, person=b"flyball-eval")


class TableHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all records: the rules in force when the table was written.

    ``policy`` is name and parameters; ``policy_version`` must come out of them again. ``features``
    name the record's numbers in order, ``arms`` the grid that ``permitted`` masks count, and
    ``dose_arms`` the arms of the doses. ``economics`` is None where none is known.
    """

    created_us: int
    period_days: int
    arms: tuple[int, ...]
    dose_arms: tuple[int, ...]
    features: tuple[str, ...]
    feature_hash: str
    model_version: str
    model_segments: tuple[str, ...]
    segments: tuple[str, ...]
    plans: tuple[str, ...]
    rules: tuple[str, ...]
    policy: str
    policy_version: str
    policy_params: dict[str, object]
    economics: dict[str, object] | None
    spike_rule: bool
    spike_hour_ratio: float
    spike_minimum: float


@cache
def record_type(doses: int, features: int) -> np.dtype[np.void]:
    """The record as a NumPy type; its head is :data:`FIXED`.

    ``permitted`` has a bit for each arm of the header, ``rules`` one for each reason code there.
    ``floor`` is the lowest multiplier of the primary limit in hundredths, because of what is stored
    (0: none; so wrote those who left the place empty). Money is in minor units a month, NaN where
    unknown; ``demand`` is of one period.
    """
    import numpy as np  # here, because workers that are never asked to evaluate do without it

    return np.dtype(
        [
            ("crc", "<u4"),
            ("floor", "<u4"),
            ("key", "S16"),
            ("as_of_us", "<i8"),
            ("demand", "<f8"),
            ("mrr", "<f8"),
            ("gain", "<f8"),
            ("loss", "<f8"),
            ("unit_cost", "<f8"),
            ("permitted", "<u8"),
            ("segment", "<u2"),
            ("plan", "<u2"),
            ("rules", "<u4"),
            ("model_segment", "<u4"),
            ("dose", "<f4", (doses,)),
            ("features", "<f4", (features,)),
        ]
    )


def key_of(tenant_id: str) -> bytes:
    """The 16 bytes that a tenant is found by."""
    state = _KEY_STATE.copy()  # half the time of setting the parameters each time
    state.update(tenant_id.encode("utf-8", "surrogatepass"))
    return state.digest()


def index_word(key: bytes) -> int:
    """The first eight bytes of a key as the number that the index sorts by."""
    return int.from_bytes(key[:8], "big")
