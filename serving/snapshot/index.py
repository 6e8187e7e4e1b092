"""The hash index: open addressing with linear probing, built by NumPy, read without it.

The table has home positions and a tail instead of wrapping round, and always ends in
an empty position, so that probing stops without a bounds check.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from serving.snapshot.layout import ABSENT


def home_hashes(keys: Iterable[bytes]) -> npt.NDArray[np.uint64]:
    """First eight bytes of each key, as numbers."""
    return np.frombuffer(b"".join(key[:8] for key in keys), dtype="<u8")


def home_count(entries: int) -> int:
    """Home positions for so many entries: half full, at least one position empty.

    A lookup then looks at 1.5 entries on average, not at 2.5 as where three quarters are full
    (Knuth, The Art of Computer Programming 3, 6.4): each is a cache miss in a large snapshot, and
    the room is 2.7 bytes a tenant.
    """
    return entries * 2 + 1


def build_index(hashes: npt.NDArray[np.uint64], homes: int) -> npt.NDArray[np.uint32]:
    """Table of entry numbers by position; ABSENT where empty.

    Entry *i* has the key hash ``hashes[i]``. Sorted by home position, an entry lands on its home
    or right after the entry before it: ``max(home, previous + 1)``, a running maximum.
    """
    low = hashes & np.uint64(0xFFFF_FFFF)
    starts = ((low * np.uint64(homes)) >> np.uint64(32)).astype(np.int64)
    order = np.argsort(starts, kind="stable")
    steps = np.arange(len(starts), dtype=np.int64)
    positions = np.maximum.accumulate(starts[order] - steps) + steps
    last = int(positions[-1]) if len(positions) else 0
    table = np.full(max(homes + 1, last + 2), ABSENT, dtype=np.uint32)
    table[positions] = order.astype(np.uint32)
    return table
