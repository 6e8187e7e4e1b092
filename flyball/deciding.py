"""Deciding: estimate in, decision out, with every guardrail in its order.

A :class:`Round` is what is the same for every tenant at one as-of time; a :class:`Case` is one
tenant's facts. :func:`decide_tenant` decides one of them, :func:`decide_all` many, in the order
that makes scarce budgets go where they are worth most. Everything here is pure: the same round,
cases and budgets give the same decisions, byte for byte.

Order: kill switch, contract limit, no-friction rules, override, holdout, budgets and shares,
exploration, policy. Within a period nothing is drawn again: see :mod:`flyball.continuing`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from flyball.arm import NEUTRAL
from flyball.budget import Budgets
from flyball.case import Case
from flyball.continuing import carry_on, decision_in_force
from flyball.decision import Decision, decision_id
from flyball.outlook import chances_under
from flyball.preparation import Preparation, prepare
from flyball.round import Round
from flyball.settlement import settle

__all__ = ["Case", "Round", "decide_all", "decide_tenant"]


def decide_tenant(this: Round, case: Case, budgets: Budgets) -> Decision:
    """The decision of one tenant.

    A tenant that has a decision of this period and mode already keeps its arm: probabilities are
    refreshed and safety exits applied (``continued`` is then True). Otherwise the arm is bounded,
    reserved and drawn now; a tenant's first decision in a period starts that period for it.

    Parameters
    ----------
    budgets:
        The period's; changed by what is reserved. Earlier decisions of the period, of tenants that
        are not among the cases, must have been put in with :meth:`Budgets.hold`.
    """
    return decide_all(this, (case,), budgets)[0]


def decide_all(this: Round, cases: Sequence[Case], budgets: Budgets) -> list[Decision]:
    """The decisions of many tenants, in the order of ``cases`` (one case a tenant).

    Whatever that order is, scarce budgets and places go first to arms in force, then to people's
    overrides, then to policies' choices by their advantage, then to exploration; ties by a hash of
    tenant and period, so that nobody is first every time.
    """
    decisions: dict[int, Decision] = {}
    for index, case in enumerate(cases):
        current = decision_in_force(this, case)
        if current is not None:
            budgets.hold(current, case.state.segment, case.unit_cost_minor, outlook=case.outlook)
            decisions[index] = carry_on(this, case, current, budgets)
    waiting: list[tuple[tuple[int, float, bytes], int, Preparation]] = []
    for index, case in enumerate(cases):
        if index not in decisions:
            prepared = prepare(this, case)
            waiting.append((_turn(this, case, prepared), index, prepared))
    waiting.sort(key=lambda entry: entry[0])
    for _, index, prepared in waiting:
        decisions[index] = _decide(this, cases[index], prepared, budgets)
    return [decisions[index] for index in range(len(cases))]


def _turn(this: Round, case: Case, prepared: Preparation) -> tuple[int, float, bytes]:
    name = f"{case.state.tenant_id}\x1f{this.period_start_us}".encode()
    lot = hashlib.blake2b(name, digest_size=8).digest()
    if prepared.override is not None:
        return (0, 0.0, lot)
    if prepared.chosen.arm == NEUTRAL:
        return (2, 0.0, lot)
    advantage = prepared.chosen.advantage
    return (1, 0.0 if advantage is None else -advantage.mean, lot)


def _decide(this: Round, case: Case, prepared: Preparation, budgets: Budgets) -> Decision:
    settled = settle(this, case, prepared, budgets)
    state = case.state
    arm = settled.arm
    primary = state.limits[0] if state.limits else None
    chances = chances_under(case.outlook, arm, period_days=this.period_days)
    return Decision(
        decision_id=decision_id(state.tenant_id, this.period_start_us, this.mode, this.salt),
        tenant_id=state.tenant_id,
        organisation=state.unit,
        mode=this.mode,
        assignment=settled.assignment,
        period_start_us=this.period_start_us,
        period_days=this.period_days,
        decided_us=this.as_of_us,
        arm=arm,
        served_arm=arm,
        proposed_arm=settled.choice,
        offered=settled.propensities,
        propensity=settled.propensities[arm],
        reasons=tuple(dict.fromkeys(reason.value for reason in settled.reasons)),
        policy=this.policy.name,
        policy_version=this.policy.version,
        experiment="" if this.experiment is None else this.experiment.name,
        model_version=this.model_version if case.model_version is None else case.model_version,
        feature_hash=this.feature_hash if case.feature_hash is None else case.feature_hash,
        base_limit=None if primary is None else primary.base,
        contract_limit=None if primary is None else primary.contract,
        window_seconds=None if primary is None else primary.counting_seconds,
        upgrade_probability=None if chances is None else chances.upgrade,
        downgrade_probability=None if chances is None else chances.downgrade,
        churn_probability=None if chances is None else chances.churn,
        expected_dose=case.doses,
        marginal_propensity=settled.marginal,
        overdraft_requests=settled.overdraft_requests,
    )
