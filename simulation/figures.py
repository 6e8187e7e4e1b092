"""The figures of one run against static, its friction-free parallel, and the oracle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.catalogue import SEGMENTS
from simulation.exploration import NEUTRAL
from simulation.money import MARGIN, MONTHS_PER_WEEK
from simulation.playing import RUN_OFF_WEEKS, Played
from simulation.response import CHURN, UPGRADE

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One run in numbers; ``percent`` of static's money unless said otherwise.

    Parameters
    ----------
    value_minor:
        Net value in minor dollars: 26 weeks lived and what the revenue at the end is worth after.
    against_static_percent, realised_percent:
        Net value more than static; the same for the weeks lived only.
    tenant_equal_percent:
        The same with every tenant counting alike, in percent of its own revenue.
    revenue_retention_percent:
        Monthly revenue at the end of who was here at the start, against the start's.
    conversion_lift_percent:
        Upgrades more than under static, in percent of them.
    friction_churn_percent:
        Churn more than in the friction-free parallel, in percent of the tenants ever tightened.
    regret_percent:
        The oracle's net value more than this one's.
    worst_segment_percent, worst_segment:
        The segment that fares worst against its own static.
    friction_share_percent, overdraft_share_percent, ever_tightened_percent:
        Of tenant weeks; of tenant weeks; of tenants.
    violations:
        Guardrails broken, by rule.
    """

    value_minor: float
    against_static_percent: float
    realised_percent: float
    tenant_equal_percent: float
    revenue_retention_percent: float
    conversion_lift_percent: float
    friction_churn_percent: float
    regret_percent: float
    worst_segment_percent: float
    worst_segment: str
    friction_share_percent: float
    overdraft_share_percent: float
    ever_tightened_percent: float
    violations: dict[str, int]


def figures(run: Played, static: Played, oracle: Played, free: Played) -> Figures:
    """Compare one run with the same world under other policies; ``free`` without its friction."""
    base = float(static.value.sum())
    difference = run.value - static.value
    segments = {
        name: 100.0 * _share(difference[static.segment == i], static.value[static.segment == i])
        for i, name in enumerate(SEGMENTS)
    }
    worst = min(segments, key=lambda name: segments[name])
    tight = (run.arm < NEUTRAL) & run.here
    ever = tight.any(axis=0)
    excess = _churned(run)[ever].sum() - _churned(free)[ever].sum()
    weeks = max(1, int(run.here.sum()))
    started = run.here[0]
    upgrades = [int((each.outcome == UPGRADE).sum()) for each in (run, static)]
    return Figures(
        value_minor=float(run.value.sum()),
        against_static_percent=100.0 * float(difference.sum()) / base,
        realised_percent=100.0 * _share((run.earned - static.earned), static.earned),
        tenant_equal_percent=_tenant_equal(run, difference),
        revenue_retention_percent=100.0 * _share(run.last_mrr[started], run.first_mrr[started]),
        conversion_lift_percent=100.0 * (upgrades[0] / max(1, upgrades[1]) - 1.0),
        friction_churn_percent=100.0 * float(excess) / max(1, int(ever.sum())),
        regret_percent=100.0 * float((oracle.value - run.value).sum()) / base,
        worst_segment_percent=segments[worst],
        worst_segment=worst,
        friction_share_percent=100.0 * float(tight.sum()) / weeks,
        overdraft_share_percent=100.0 * float(((run.arm > NEUTRAL) & run.here).sum()) / weeks,
        ever_tightened_percent=100.0 * float(ever.sum()) / max(1, int(run.here.any(axis=0).sum())),
        violations=run.broken,
    )


def _churned(played: Played) -> NDArray[np.bool_]:
    gone: NDArray[np.bool_] = (played.outcome == CHURN).any(axis=0)
    return gone


def _share(part: Floats, whole: Floats) -> float:
    total = float(whole.sum())
    return float(part.sum()) / total if total else 0.0


def _tenant_equal(run: Played, difference: Floats) -> float:
    """Mean of each tenant's difference in percent of what its first revenue would have been."""
    weeks = len(run.arm) + RUN_OFF_WEEKS
    own = run.first_mrr * MARGIN * MONTHS_PER_WEEK * weeks
    known = own > 0
    return 100.0 * float((difference[known] / own[known]).mean()) if known.any() else 0.0
