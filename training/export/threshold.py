"""A LightGBM split's threshold as float32, so that no float32 input changes sides."""

from __future__ import annotations

import math

import numpy as np

#: LightGBM reads every input of at most this size as exactly 0 (``kZeroThreshold``, a float32).
ZERO_BOUND = np.float32(1e-35)
_LARGEST = float(np.finfo(np.float32).max)


def served_threshold(threshold: float) -> np.float32:
    """The float32 *t* for which ``x <= t`` decides as LightGBM does, for every float32 ``x``.

    LightGBM compares in double with a double threshold, after reading ``|x| <= 1e-35`` as 0. For
    float32 inputs, rounding the threshold **down** keeps every comparison; rounding to nearest
    sends a value between the two to the other side. Thresholds inside the zero band are moved to
    its edge.

    Parameters
    ----------
    threshold:
        Any double but NaN, infinities included.

    Examples
    --------
    >>> float(served_threshold(0.5)), bool(served_threshold(0.1) <= 0.1)
    (0.5, True)
    """
    if math.isnan(threshold):
        raise ValueError("A threshold cannot be NaN.")
    if 0.0 <= threshold < float(ZERO_BOUND):
        return ZERO_BOUND
    if -float(ZERO_BOUND) <= threshold < 0.0:
        return _below(-ZERO_BOUND)
    if threshold > _LARGEST:
        # Only +inf lies above; it must still go right unless the threshold is +inf itself.
        return np.float32(np.inf if math.isinf(threshold) else _LARGEST)
    if threshold < -_LARGEST:
        return np.float32(-np.inf)
    nearest = np.float32(threshold)
    if float(nearest) > threshold:
        return _below(nearest)
    return nearest


def _below(value: np.float32) -> np.float32:
    return np.float32(np.nextafter(value, np.float32(-np.inf)))
