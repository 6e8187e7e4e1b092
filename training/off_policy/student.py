"""Quantiles of Student's t without SciPy."""

from __future__ import annotations

import math
from statistics import NormalDist


def student_quantile(probability: float, degrees: float) -> float:
    """Quantile of Student's t at ``probability`` (0.5 … 1) with ``degrees`` of freedom.

    Exact for 1 and 2; else the expansion of Abramowitz and Stegun 26.7.5, within 0.3 % for 3 or
    more degrees at 0.975. Infinite below 1.

    >>> round(student_quantile(0.975, 30.0), 3)
    2.042
    """
    if degrees < 1.0:
        return math.inf
    if degrees < 2.0:
        return math.tan(math.pi * (probability - 0.5))
    if degrees < 3.0:
        spread = 2.0 * probability - 1.0
        return spread * math.sqrt(2.0 / (1.0 - spread * spread))
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4.0
    second = (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
    third = (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0
    fourth = (79.0 * z**9 + 776.0 * z**7 + 1482.0 * z**5 - 1920.0 * z**3 - 945.0 * z) / 92160.0
    return z + first / degrees + second / degrees**2 + third / degrees**3 + fourth / degrees**4
