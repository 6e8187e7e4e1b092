"""Redraws of the whole experiment from the logged propensities (Fisher 1935).

Rows that shared one draw share it again; an arm that was not offered is never drawn.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from training.dataset import Ints, Single
from training.estimators.table import EffectTable

REDRAWS = 999
#: Numbers held at once.
_CHUNK = 4_000_000


def redrawn_arms(table: EffectTable, rng: np.random.Generator, count: int) -> Ints:
    """``count`` redraws of the assigned arms, ``[n, count]``."""
    share = table.offered / table.offered.sum(axis=1, keepdims=True)
    cumulative = np.cumsum(share, axis=1)
    draws = int(table.draw.max()) + 1 if len(table) else 0
    uniform = rng.random((draws, count), dtype=np.float32)[table.draw]
    cumulative = cumulative.astype(np.float32)
    arm = np.zeros(uniform.shape, dtype=np.int8)
    for column in range(cumulative.shape[1]):
        arm += uniform >= cumulative[:, column, None]
    # Rounding may leave the last cumulative share below 1; the last offered arm takes the rest.
    last = share.shape[1] - 1 - np.argmax(share[:, ::-1] > 0.0, axis=1)
    return np.asarray(np.minimum(arm, last[:, None].astype(np.int8)), dtype=np.int64)


def redrawn_residuals(table: EffectTable, *, seed: int, redraws: int = REDRAWS) -> Iterator[Single]:
    """Dose residuals under redrawn arms, in chunks ``[n, b]``
    (float32) that add up to ``redraws``."""
    rng = np.random.Generator(np.random.Philox(seed))
    centred = table.centred.astype(np.float32)
    size = max(1, min(redraws, _CHUNK // max(1, len(table))))
    done = 0
    while done < redraws:
        count = min(size, redraws - done)
        arms = redrawn_arms(table, rng, count)
        yield np.take_along_axis(centred, arms, axis=1)
        done += count
