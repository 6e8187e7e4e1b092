"""Groups of equal rows in sorted columns, and exact sums over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from telemetry.raw_usage import Array

_KEY_BITS = 63


def packed(parts: Sequence[tuple[Array, int]]) -> Array:
    """One whole number a row, ordered like the rows' parts from first to last.

    Parameters
    ----------
    parts:
        Columns of numbers from 0 on, each with its width in bits.
    """
    key, width = parts[0]
    for part, bits in parts[1:]:
        if width + bits > _KEY_BITS:
            key = np.unique(key, return_inverse=True)[1]
            width = bits_of(key)
        key = (key << bits) | part
        width += bits
    return key


def above_least(values: Array) -> tuple[Array, int]:
    """``values`` less the least of them, and how many bits that takes."""
    shifted = values - values.min() if len(values) else values
    return shifted, bits_of(shifted)


def bits_of(values: Array) -> int:
    """Bits that hold every one of ``values``, which are not negative."""
    return int(values.max()).bit_length() if len(values) else 0


def starts_of(*columns: Array) -> Array:
    """Where groups of equal neighbours begin."""
    if not len(columns[0]):
        return np.empty(0, np.int64)
    changed = np.empty(len(columns[0]), bool)
    changed[0] = True
    np.not_equal(columns[0][1:], columns[0][:-1], out=changed[1:])
    for column in columns[1:]:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)


def counts_of(starts: Array, rows: int) -> Array:
    """Rows of each group."""
    return np.diff(starts, append=rows)


def total(values: Array, starts: Array) -> Array:
    """Sum of every group."""
    return np.add.reduceat(values, starts) if len(starts) else values[:0]


def largest(values: Array, starts: Array) -> Array:
    """Largest of every group."""
    return np.maximum.reduceat(values, starts) if len(starts) else values[:0]


def exact_total(steps: Array, starts: Array) -> Array:
    """Sum of every group's whole ``steps`` as float64: exact and then rounded once."""
    if not len(steps) or int(steps.max()) * len(steps) < 1 << 62:
        return total(steps, starts).astype(np.float64)
    high = total(steps >> 32, starts).astype(np.float64)
    low = total(steps & 0xFFFF_FFFF, starts).astype(np.float64)
    return np.asarray(high * 2.0**32 + low)
