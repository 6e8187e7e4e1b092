"""From features, facts and scores to one case per tenant: what the rules decide about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from flyball.arm import NEUTRAL
from flyball.budget import Budgets
from flyball.case import Case
from flyball.explored import ExploredLimits, explored_from
from flyball.guardrail_settings import GuardrailSettings
from flyball.money import tenant_money
from flyball.outlook import NO_EFFECT, ArmEffect, Outlook, Trust
from flyball.spike import SpikeSettings
from flyball.state import TenantState
from flyball.tenant import Account
from models.matrix import dose_of, inputs_of
from models.outlook import outlook_of
from models.scorer import Scorer
from serving.facts import Facts

#: Demand in the feature table is of seven days.
_DEMAND_DAYS = 7


@dataclass(frozen=True, slots=True)
class Usage:
    """What the feature table says about each of its rows, apart from what models read."""

    tenants: Sequence[str]
    demand_per_period: Sequence[float]
    spikes: Sequence[bool]


def usage_of(table: pa.Table, *, spike: SpikeSettings, period_days: int) -> Usage:
    """Expected demand and spikes, row by row.

    A spike is judged by the two ratios that features carry; demand of the day below the settings'
    minimum is never one.
    """
    scale = period_days / _DEMAND_DAYS
    demand = np.nan_to_num(_numbers(table, "demand_period"), nan=0.0) * scale
    # The feature is on a logarithmic scale: ln(1 + demand).
    enough = _numbers(table, "demand_sum_1d") >= math.log1p(spike.minimum)
    # NaN (no typical day to compare with) compares as False.
    hour = _numbers(table, "spike_hour_ratio") >= spike.hour_ratio
    day = _numbers(table, "spike_day_ratio") >= spike.day_ratio
    return Usage(
        tenants=table.column("tenant_id").to_pylist(),
        demand_per_period=np.maximum(demand, 0.0).tolist(),
        spikes=(enough & (hour | day)).tolist(),
    )


def outlooks_of(
    table: pa.Table, usage: Usage, arms: Sequence[int], scorer: Scorer | None
) -> list[Outlook]:
    """What the models say about every row; without a model, only doses are known."""
    if scorer is None:
        return _without_model(table, usage, arms)
    manifest = scorer.manifest
    inputs = inputs_of(table, manifest)
    scores = scorer.score(inputs.x, inputs.segment, inputs.dose)
    return [
        outlook_of(scores, row, manifest.arms, inputs.dose, demand_per_period=demand)
        for row, demand in enumerate(usage.demand_per_period)
    ]


def _without_model(table: pa.Table, usage: Usage, arms: Sequence[int]) -> list[Outlook]:
    neutral = ArmEffect(
        arm=NEUTRAL,
        dose=0.0,
        trust=Trust.PERSONAL,
        upgrade=NO_EFFECT,
        downgrade=NO_EFFECT,
        churn=NO_EFFECT,
    )
    doses = dose_of(table, arms).tolist()
    return [
        Outlook(
            hazards=None,
            effects={
                arm: neutral
                if arm == NEUTRAL
                else ArmEffect(arm=arm, dose=None if math.isnan(dose) else dose, trust=Trust.NONE)
                for arm, dose in zip(arms, row, strict=True)
            },
            demand_per_period=demand,
        )
        for row, demand in zip(doses, usage.demand_per_period, strict=True)
    ]


def cases_of(
    facts: Facts,
    usage: Usage,
    outlooks: Sequence[Outlook],
    features_us: int | None,
    *,
    explored: ExploredLimits | None = None,
    least_periods: int = 1,
) -> list[Case]:
    """One case per row of the feature table, in its order.

    ``explored`` is what the model has seen; limits with fewer than ``least_periods`` drawn periods
    are unexplored. None: the model does not say.
    """
    return [
        Case(
            state=with_explored(
                _state(
                    facts, facts.accounts[tenant], spike=usage.spikes[row], features_us=features_us
                ),
                explored,
                least_periods,
            ),
            outlook=outlooks[row],
            money=None
            if facts.economics is None
            else tenant_money(facts.accounts[tenant], facts.plans, facts.economics),
            previous=facts.previous.get(tenant),
        )
        for row, tenant in enumerate(usage.tenants)
    ]


def _state(facts: Facts, account: Account, *, spike: bool, features_us: int | None) -> TenantState:
    name = account.tenant_id
    return TenantState(
        tenant_id=name,
        organisation=account.organisation,
        segment=account.segment,
        plan=account.plan,
        region=account.region,
        limits=facts.limits(account),
        created_us=account.created_us,
        renewal_us=account.renewal_us,
        upgraded_us=facts.upgraded_us.get(name),
        features_us=features_us,
        spike=spike,
        incident=facts.incident_at(account),
        urgent_ticket=name in facts.urgent,
        override=facts.overrides.get(name),
        overdraft_periods=facts.overdraft_periods.get(name, 0),
        own_limits=account.base_limit is not None or account.contract_limit is not None,
    )


def with_explored(
    state: TenantState, explored: ExploredLimits | None, least_periods: int
) -> TenantState:
    """``state`` as a model sees it that has ``explored`` these limits, or has not."""
    known = (
        explored is None
        or not state.limits
        or explored.covers(
            state.plan, state.limits[0], own=state.own_limits, least_periods=least_periods
        )
    )
    return state if state.unexplored is not known else replace(state, unexplored=not known)


def explored_by(scorer: Scorer | None) -> ExploredLimits | None:
    """What the bundle's manifest says that it has seen."""
    return None if scorer is None else explored_from(scorer.manifest.data_window.get("limits"))


def budgets_for(
    guardrails: GuardrailSettings,
    facts: Facts,
    demand: Mapping[str, float],
    *,
    period_days: int = 7,
) -> Budgets:
    """The period's budgets over all tenants of ``facts``; ``demand`` is expected per period."""
    sizes: dict[str, int] = {}
    for account in facts.accounts.values():
        sizes[account.segment] = sizes.get(account.segment, 0) + 1
    return Budgets(
        guardrails,
        segment_sizes=sizes,
        total_demand=sum(demand.values()),
        tightened=facts.tightened,
        period_days=period_days,
    )


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    column: Any = table.column(name)
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
