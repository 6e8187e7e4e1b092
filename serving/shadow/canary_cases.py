"""Cases of the canary's tenants, as the challenger sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from flyball.case import Case
from serving.cases import Usage, explored_by, outlooks_of, with_explored
from serving.shadow.challenger import Canary


def with_canary(
    cases: Sequence[Case],
    table: pa.Table,
    usage: Usage,
    arms: Sequence[int],
    canary: Canary,
    least_periods: int,
) -> list[Case]:
    """``cases`` (one a row of ``table``) with the canary's organisations judged by the challenger.

    Nothing but the models' say and their names differs: facts, money, guardrails stay as they are.
    """
    rows = [row for row, case in enumerate(cases) if canary.settings.holds(case.state.unit)]
    if not rows:
        return list(cases)
    outlooks = outlooks_of(table.take(rows), some(usage, rows), arms, canary.scorer)
    judged = list(cases)
    manifest, explored = canary.manifest, explored_by(canary.scorer)
    for row, outlook in zip(rows, outlooks, strict=True):
        judged[row] = replace(
            cases[row],
            state=with_explored(cases[row].state, explored, least_periods),
            outlook=outlook,
            model_version=manifest.version,
            feature_hash=manifest.feature_hash,
        )
    return judged


def some(usage: Usage, rows: Sequence[int]) -> Usage:
    """The rows of ``usage`` that are named."""
    return Usage(
        tenants=[usage.tenants[row] for row in rows],
        demand_per_period=[usage.demand_per_period[row] for row in rows],
        spikes=[usage.spikes[row] for row in rows],
    )
