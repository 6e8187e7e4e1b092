"""Daily meters beside requests: logins, seats, exports, tokens, storage, workflows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation.catalogue import PLANS
from simulation.chance import Stream, generator
from simulation.population import Population
from simulation.state import State

Daily = NDArray[np.float64]

_WEEKDAY = np.array([1.0, 1.0, 1.0, 1.0, 0.85, 0.0, 0.0])
_WORKFLOWS = np.array([plan.workflows for plan in PLANS])


def daily_activity(
    population: Population,
    state: State,
    seed: int,
    week: int,
    pressure: NDArray[np.float64],
) -> dict[str, Daily]:
    """Quantities by meter code (see ``catalogue.DAILY_METERS``), each ``[n, 7]``; 0 is no event."""
    count = len(pressure)
    noise = generator(seed, Stream.ACTIVITY, week)
    z = noise.standard_normal((count, 7, 4))
    u = noise.random((count, 7))
    seats = state.seats[:count, None].astype(np.float64)
    mood = np.exp(0.3 * state.health[:count, None])
    rhythm = np.where(population.rhythm[:count, None] == 1, np.maximum(_WEEKDAY, 0.25), _WEEKDAY)
    logins = np.floor(0.7 * seats * mood * rhythm * np.exp(0.25 * z[:, :, 0]) + u)
    logins = np.where(rhythm > 0, logins, 0.0)
    exports = np.floor(0.06 * logins * np.exp(0.6 * z[:, :, 1]) + u * 0.6)
    tokens = np.floor(1500 * logins * np.exp(0.5 * z[:, :, 2]))
    days = np.arange(7)[None, :]
    growth = 1.0 + (0.0012 + 0.15 * np.clip(state.momentum[:count, None], -0.02, 0.05)) * days
    plan_workflows = _WORKFLOWS[state.plan[:count], None]
    workflows = np.floor(plan_workflows * pressure[:, None] * 0.7 * np.exp(0.2 * z[:, :, 3]))
    connected = np.zeros((count, 7))
    lost = np.round(0.6 * np.minimum(state.health[:count], 0.0))
    connected[:, 0] = np.maximum(0, population.integrations[:count] + lost)
    return {
        "lo": logins,
        "se": np.minimum(seats, np.ceil(logins * 0.8)),
        "ex": np.where(logins > 0, exports, 0.0),
        "ai": np.where(population.ai_user[:count, None], tokens, 0.0),
        "st": np.floor(state.storage[:count, None] * growth / 1e6) * 1e6,
        "in": connected,
        "wf": np.where(logins > 0, workflows, 0.0),
    }
