"""Hourly demand: growth, daily, weekly and yearly seasons, bursts, noise; blind to the policy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation.calendar_week import HOURS, first_hour
from simulation.catalogue import REGIONS
from simulation.chance import Stream, generator
from simulation.population import Population
from simulation.series import Shapes

Hourly = NDArray[np.float64]

#: Below this share of a rhythm's peak nobody works, and no request comes.
_QUIET = 0.03
_NOISE = 0.18
_DAY_NOISE = 0.10


def _shapes() -> Hourly:
    """Share of the usual peak per rhythm and local hour of the week, ``[3, 168]``."""
    hour = np.arange(HOURS) % 24
    weekend = np.arange(HOURS) // 24 >= 5
    workday = np.clip(np.sin(np.pi * (hour - 6.5) / 13.0), 0.0, None) ** 0.7
    office = np.where((hour >= 7) & (hour <= 19) & ~weekend, workday, 0.0)
    always = (0.55 + 0.45 * np.sin(np.pi * (hour - 5) / 14.0).clip(0)) * np.where(weekend, 0.75, 1)
    batch = np.where((hour >= 1) & (hour <= 5), 1.0 - 0.2 * np.abs(hour - 3), 0.0)
    return np.stack([office, always, batch])


def _local_shapes() -> Hourly:
    """The same by region in UTC, ``[3, regions, 168]``."""
    shapes = _shapes()
    return np.stack([np.roll(shapes, -ahead, axis=1) for ahead in REGIONS.values()], axis=1)


def season(population: Population, week: int, count: int) -> Hourly:
    """Yearly factor of each tenant, shape ``[count]``; retail peaks before the year's end."""
    turn = 2.0 * np.pi * (first_hour(week) / 24.0 % 365.25) / 365.25
    retail = population.segment[:count] == 2
    phase = np.where(retail, turn + 0.35, turn - np.pi)
    return 1.0 + population.yearly[:count] * np.where(retail, 1.5, 1.0) * np.cos(phase)


def _bursts(population: Population, seed: int, week: int, count: int) -> Hourly:
    """Factor per hour: in some weeks one burst of 2 to 36 hours, twice to six times the usual."""
    u = generator(seed, Stream.BURST, week).random((count, 4))
    factor = np.ones((count, HOURS))
    for row in np.flatnonzero(u[:, 0] < population.burstiness[:count]):
        start = int(u[row, 1] * HOURS)
        length = 2 + int(34 * u[row, 2] ** 2)
        factor[row, start : start + length] = 2.0 + 4.0 * u[row, 3] ** 2
    return factor


def hourly_demand(
    population: Population,
    seed: int,
    week: int,
    peak: NDArray[np.float64],
    shapes: Shapes | None = None,
) -> Hourly:
    """Requests asked for in each hour of ``week``, whole numbers, shape ``[len(peak), 168]``.

    Parameters
    ----------
    peak:
        Requests in a usual busy hour of each of the first ``len(peak)`` tenants, this week.
    shapes:
        Real weeks to take the hours from; None generates them.
    """
    count = len(peak)
    hours = first_hour(week) + np.arange(HOURS)
    unborn = hours[None, :] < population.created_hour[:count, None]
    scale = (peak * season(population, week, count))[:, None]
    if shapes is not None:
        demand = shapes.of_week(seed, week, count) * scale
        demand[unborn] = 0.0
        return np.floor(demand)
    shape = _local_shapes()[population.rhythm[:count], population.region[:count]]
    noise = generator(seed, Stream.HOUR_NOISE, week).standard_normal((count, HOURS))
    daily = generator(seed, Stream.DAY_NOISE, week).standard_normal((count, 7))
    noise *= _NOISE
    noise += np.repeat(_DAY_NOISE * daily, 24, axis=1)
    np.exp(noise, out=noise)
    noise *= shape * _bursts(population, seed, week, count)
    noise *= scale
    noise[shape < _QUIET] = 0.0
    noise[unborn] = 0.0
    return np.floor(noise)
