"""What champion and challenger say of decisions that have been made: nothing here alters one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from flyball.case import Case
from flyball.decision import Decision
from flyball.outlook import Estimate, Outlook, hazards_under
from flyball.policy import Policy
from flyball.preparation import prepare
from flyball.round import Round
from flyball.value import advantage
from ledger.shadow import Said, ShadowDecision, ShadowRun
from models.scorer import Scorer
from serving.cases import explored_by, outlooks_of, usage_of, with_explored
from serving.deciding import Pass


def shadowed(
    done: Pass,
    decisions: Sequence[Decision],
    rows: Sequence[int],
    *,
    champion: Scorer | None,
    challenger: Scorer,
    policy: Policy,
    at_us: int,
) -> tuple[list[ShadowDecision], ShadowRun]:
    """Both models' say of some rows of a pass.

    Parameters
    ----------
    decisions:
        As logged, one a row of the pass.
    rows:
        Which of them.
    policy:
        The configured one: without an experiment everything is static, and there would be nothing
        to compare.
    """
    began = time.perf_counter()
    this = replace(done.round, policy=policy)
    table = done.table.take(list(rows))
    usage = usage_of(table, spike=this.guardrails.spike, period_days=this.period_days)
    scored = time.perf_counter()
    theirs = outlooks_of(table, usage, this.grid.arms, challenger)
    scoring_ms = (time.perf_counter() - scored) * 1_000.0
    trial = challenger.manifest.version
    seen = explored_by(champion), explored_by(challenger)
    least = this.guardrails.explored_periods
    found = []
    for place, row in enumerate(rows):
        case, decision = done.cases[row], decisions[row]
        # The canary's tenants were decided by the challenger: their champion is asked here.
        ours = case.outlook if case.model_version != trial else _asked(done, row, champion)
        as_ours, as_theirs = (
            replace(case, outlook=outlook, state=with_explored(case.state, explored, least))
            for outlook, explored in zip((ours, theirs[place]), seen, strict=True)
        )
        found.append(_shadow(this, decision, as_ours, as_theirs, trial))
    run = ShadowRun(
        at_us=at_us,
        champion_version=this.model_version,
        challenger_version=trial,
        tenants=len(found),
        duration_ms=(time.perf_counter() - began) * 1_000.0,
        scoring_ms=scoring_ms,
    )
    return found, run


def _asked(done: Pass, row: int, champion: Scorer | None) -> Outlook:
    table = done.table.slice(row, 1)
    usage = usage_of(table, spike=done.round.guardrails.spike, period_days=done.round.period_days)
    return outlooks_of(table, usage, done.round.grid.arms, champion)[0]


def _shadow(
    this: Round, decision: Decision, ours: Case, theirs: Case, trial: str
) -> ShadowDecision:
    champion_arm, champion_reason = _proposal(this, ours)
    challenger_arm, challenger_reason = _proposal(this, theirs)
    return ShadowDecision(
        decision_id=decision.decision_id,
        tenant_id=decision.tenant_id,
        organisation=ours.state.unit,
        segment=ours.state.segment,
        at_us=this.as_of_us,
        period_start_us=decision.period_start_us,
        period_days=decision.period_days,
        policy=this.policy.name,
        policy_version=this.policy.version,
        served_arm=decision.served_arm,
        champion=_said(
            this, ours, this.model_version, decision, champion_arm, champion_reason,
            challenger_arm,
        ),
        challenger=_said(
            this, theirs, trial, decision, challenger_arm, challenger_reason, champion_arm
        ),
    )  # fmt: skip


def _proposal(this: Round, case: Case) -> tuple[int, str]:
    """What the policy would do after the tenant's own guardrails, before budgets and draw."""
    prepared = prepare(this, case)
    reasons = (*prepared.withheld, *prepared.chosen.reasons)
    return prepared.chosen.arm, reasons[0].value if reasons else ""


def _said(
    this: Round,
    case: Case,
    version: str,
    decision: Decision,
    arm: int,
    reason: str,
    other: int,
) -> Said:
    hazards = hazards_under(case.outlook, decision.served_arm)
    return Said(
        version=version,
        arm=arm,
        reason=reason,
        upgrade=None if hazards is None else hazards.upgrade,
        downgrade=None if hazards is None else hazards.downgrade,
        churn=None if hazards is None else hazards.churn,
        advantage_minor=_worth(this, case, arm),
        others_minor=_worth(this, case, other),
    )


def _worth(this: Round, case: Case, arm: int) -> float | None:
    found = advantage(case.outlook, case.money, arm, this.economics, period_days=this.period_days)
    return found.mean if isinstance(found, Estimate) else None
