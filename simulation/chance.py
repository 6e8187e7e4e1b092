"""Counter-based randomness: what happens to a tenant in a week does not depend on the policy.

Every draw comes from Philox keyed by (seed, stream, week); the tenant is the row, so tenant *i*
meets the same numbers whoever else is there and whatever was decided before. Parameters that a
policy can move (hazards) are applied to uniforms by inversion, never given to a sampler.
(Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".)
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Stream(IntEnum):
    """One independent sequence for each use; numbers are part of the world and never reused."""

    TRAITS = 1
    WALK = 2
    HOUR_NOISE = 3
    DAY_NOISE = 4
    BURST = 5
    OUTCOME = 6
    EXPLORATION = 7
    ACTIVITY = 8
    TICKET = 9
    INTERVENTION = 10
    INCIDENT = 11
    DELIVERY = 12
    RECORDING = 13
    GAMING = 14
    SERIES = 15
    ORACLE = 16


def generator(seed: int, stream: Stream, week: int = 0) -> np.random.Generator:
    """The generator of one stream in one week (weeks since 1970-01-05; 0 for what never changes).

    Examples
    --------
    >>> a, b = (generator(7, Stream.WALK, 2900).random(3) for _ in range(2))
    >>> bool((a == b).all())
    True
    """
    key = np.array([seed % 2**64, (int(stream) << 32) | week], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def uniforms(
    seed: int, stream: Stream, week: int, rows: int, columns: int = 1
) -> NDArray[np.float64]:
    """Uniforms in [0, 1), shape ``[rows, columns]``; a row does not depend on ``rows``."""
    return generator(seed, stream, week).random((rows, columns))


def poisson_at(rate: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Poisson quantile of ``uniform`` (both of one shape), exact up to 20 events."""
    count = np.zeros(rate.shape, dtype=np.int64)
    term = np.exp(-rate)
    below = term.copy()
    for number in range(1, 21):
        more = uniform >= below
        if not more.any():
            break
        count[more] += 1
        term = term * rate / number
        below = below + np.where(more, term, 0.0)
    return count
