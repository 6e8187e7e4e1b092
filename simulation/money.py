"""Money of a week in minor dollars, by the economics that the simulated vendor states."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation.catalogue import EURO_RATE, REGION_CURRENCY, REGIONS
from simulation.population import Population
from simulation.state import mrr_minor

Floats = NDArray[np.float64]

MARGIN = 0.8
UNIT_MINOR = 0.0002
SUPPORT_MINOR = 1_500.0
MONTHS_PER_WEEK = 7 * 12 / 365.25
_DISCOUNT_PER_WEEK = 1.1 ** (-7 / 365.25)
_HORIZON_WEEKS = 52

_EURO = np.array([REGION_CURRENCY[region] == "EUR" for region in REGIONS])


def mrr_dollars(population: Population, plan: NDArray[np.int64]) -> Floats:
    """Monthly revenue of the first tenants on ``plan``, in minor dollars."""
    own = mrr_minor(population, plan).astype(np.float64)
    euro = _EURO[population.region[: len(plan)]]
    result: Floats = np.where(euro, own * EURO_RATE, own)
    return result


def lasting_months(hazard: Floats, weeks: int = _HORIZON_WEEKS) -> Floats:
    """Discounted months until an event of weekly ``hazard`` within ``weeks``.

    Examples
    --------
    >>> float(lasting_months(np.array([0.005]), 26).round(2))
    5.47
    """
    ratio = _DISCOUNT_PER_WEEK * (1.0 - np.clip(hazard, 0.0, 1.0))
    result: Floats = (1.0 - ratio**weeks) / (1.0 - ratio) * MONTHS_PER_WEEK
    return result
