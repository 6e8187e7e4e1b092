"""What fixes a world, and the record of one of its weeks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.activity import Daily
from simulation.exploration import Draw
from simulation.support import Incident, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What fixes a world: the same setup and the same decisions give the same world.

    ``start_week`` counts weeks since 1970-01-05; ``weeks`` is the length of the history;
    ``tenants`` have arrived by its end; up to ``spare_weeks`` more weeks can be lived. ``series``
    is a folder of real series that demand takes its shapes from; empty generates them.
    """

    tenants: int = 2_000
    weeks: int = 26
    seed: int = 7
    family: str = "smooth"
    start_week: int = 2_917
    spare_weeks: int = 104
    warmup_weeks: int = 3
    series: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """What happened in one week; rows are the first tenants of the population.

    ``here`` were tenants at its start; ``arm`` is each one's arm in hundredths, ``outcome`` is
    UPGRADE, DOWNGRADE, CHURN or -1, ``outcome_hour`` when. ``chances`` ``[n, arms, 3]`` is the
    truth: the probability of each first outcome had the tenant been given each arm. A brief record
    has neither that nor ``activity``.
    ``drawn`` is set where the world decided by itself. The record covers hours from ``from_hour``
    to ``until_hour``; only what happened between them is in it.
    """

    week: int
    from_hour: int
    until_hour: int
    here: NDArray[np.bool_]
    arm: NDArray[np.int64]
    drawn: Draw | None
    plan_before: NDArray[np.int64]
    plan_after: NDArray[np.int64]
    demand: NDArray[np.float64]
    refused: NDArray[np.float64]
    activity: dict[str, Daily]
    outcome: NDArray[np.int64]
    outcome_hour: NDArray[np.int64]
    renewed: NDArray[np.bool_]
    seats_after: NDArray[np.int64]
    renewal_before: NDArray[np.int64]
    renewal_after: NDArray[np.int64]
    chances: NDArray[np.float64]
    tickets: list[Ticket]
    interventions: list[tuple[int, int, str]]
    incident: Incident | None
