"""Cases of the canary's tenants, as the challenger sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from flyball.case import Case
from flyball.outlook import Outlook
from serving.cases import Usage, outlooks_of
from serving.shadow.challenger import Canary


def with_canary(
    cases: Sequence[Case], table: pa.Table, usage: Usage, arms: Sequence[int], canary: Canary
) -> list[Case]:
    """``cases`` (one a row of ``table``) with the canary's organisations judged by the challenger.

    Nothing but the models' say and their names differs: facts, money, guardrails stay as they are.
    """
    rows = [row for row, case in enumerate(cases) if canary.settings.holds(case.state.unit)]
    if not rows:
        return list(cases)
    outlooks = outlooks_of(table.take(rows), some(usage, rows), arms, canary.scorer)
    judged = list(cases)
    for row, outlook in zip(rows, outlooks, strict=True):
        judged[row] = rejudged(cases[row], outlook, canary)
    return judged


def rejudged(case: Case, outlook: Outlook, canary: Canary) -> Case:
    """One case under the challenger."""
    manifest = canary.manifest
    return replace(
        case,
        outlook=outlook,
        model_version=manifest.version,
        feature_hash=manifest.feature_hash,
    )


def some(usage: Usage, rows: Sequence[int]) -> Usage:
    """The rows of ``usage`` that are named."""
    return Usage(
        tenants=[usage.tenants[row] for row in rows],
        demand_per_period=[usage.demand_per_period[row] for row in rows],
        spikes=[usage.spikes[row] for row in rows],
    )
