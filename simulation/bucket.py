"""Enforcement: what an hourly limit blocks of the demand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def effective_limit(base: NDArray[np.int64], arm: NDArray[np.int64]) -> NDArray[np.int64]:
    """Base limit times arm (hundredths), rounded up, in integers."""
    return -(-base * arm // 100)


def blocked(demand: NDArray[np.float64], limit: NDArray[np.int64]) -> NDArray[np.float64]:
    """Requests refused per hour: demand above the limit of that hour (both ``[n, hours]``).

    Examples
    --------
    >>> blocked(np.array([[5.0, 12.0]]), np.array([[10, 10]])).tolist()
    [[0.0, 2.0]]
    """
    return np.clip(demand - limit, 0.0, None)


def blocked_share(demand: NDArray[np.float64], refused: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blocked over demand of each row, 0 where nothing was asked for; shape ``[n]``."""
    asked = demand.sum(axis=1)
    share: NDArray[np.float64] = refused.sum(axis=1) / np.maximum(asked, 1.0)
    return share
