"""Spikes: demand far above what is usual for this tenant at this time of the week."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from flyball.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeSettings:
    """When demand counts as a spike.

    Parameters
    ----------
    hour_ratio, day_ratio:
        The last hour (day) is a spike from this multiple of the typical one on (> 1).
    minimum:
        Demand below this many units is never a spike: three requests instead of one are noise.
    mad_factor:
        How many median absolute deviations count as usual when ``typical_level`` is used (≥ 0).
    """

    hour_ratio: float = 3.0
    day_ratio: float = 2.0
    minimum: float = 20.0
    mad_factor: float = 3.0

    def __post_init__(self) -> None:
        for name in ("hour_ratio", "day_ratio"):
            if not 1.0 < getattr(self, name) < math.inf:
                raise InvalidInput(f"spike.{name} must be above 1.", field=f"spike.{name}")
        for name in ("minimum", "mad_factor"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise InvalidInput(f"spike.{name} must not be negative.", field=f"spike.{name}")


DEFAULT_SPIKE = SpikeSettings()


def typical_level(past: Sequence[float], mad_factor: float = 3.0) -> float | None:
    """Median of ``past`` plus ``mad_factor`` median absolute deviations; None without a past.

    ``past`` holds demand of comparable spans (the same hour of the week in earlier weeks, or
    earlier days), so that a season is not a spike. Numbers that are not finite are left out.

    Examples
    --------
    >>> typical_level([10.0, 10.0, 12.0, 8.0], mad_factor=1.0)
    11.0
    """
    known = [value for value in past if math.isfinite(value)]
    if not known:
        return None
    middle = median(known)
    return middle + mad_factor * median(abs(value - middle) for value in known)


def spike_ratio(recent: float | None, typical: float | None, minimum: float) -> float:
    """How many times the typical demand was asked for; 0 where that cannot be told.

    ``inf`` where nothing is typical and at least ``minimum`` was asked for.
    """
    if recent is None or typical is None or math.isnan(recent) or math.isnan(typical):
        return 0.0
    if recent < minimum or recent <= 0.0:
        return 0.0
    return recent / typical if typical > 0.0 else math.inf


def is_spike(
    last_hour: float | None,
    typical_hour: float | None,
    last_day: float | None,
    typical_day: float | None,
    settings: SpikeSettings = DEFAULT_SPIKE,
) -> bool:
    """Whether demand of the last hour or of the last day is a spike.

    Parameters
    ----------
    last_hour, last_day:
        Demand in the last complete hour and in the last 24 hours (units of the primary meter).
    typical_hour, typical_day:
        What is usual for such a span, for instance the median over the same hour of the week, or
        :func:`typical_level`. None or NaN where there is no past: then nothing can be told, and
        other rules (a new tenant, old features) protect the tenant.

    Examples
    --------
    >>> is_spike(900.0, 200.0, 5_000.0, 4_800.0)
    True
    >>> is_spike(220.0, 200.0, 5_000.0, 4_800.0)
    False
    """
    return (
        spike_ratio(last_hour, typical_hour, settings.minimum) >= settings.hour_ratio
        or spike_ratio(last_day, typical_day, settings.minimum) >= settings.day_ratio
    )
