"""Preparation: a tenant's bounds and the policy's proposals, before anything is reserved."""

from __future__ import annotations

from typing import NamedTuple

from flyball.arm import NEUTRAL
from flyball.case import Case
from flyball.experiment import in_holdout
from flyball.guardrail import Bounds, bound, within_step
from flyball.override import Override
from flyball.policy import Proposal, TenantView, stay
from flyball.reason import Reason
from flyball.round import Round
from flyball.state import TenantState


class Preparation(NamedTuple):
    """What is known of a new decision before budgets and draw.

    ``wanted`` is the policy's proposal among all arms that keep the contract, ``chosen`` the one
    among those that every per-tenant guardrail leaves; ``withheld`` says what made the two differ.
    ``override`` is in force; ``previous_arm`` was in force before the period.
    """

    bounds: Bounds
    wanted: Proposal
    chosen: Proposal
    withheld: tuple[Reason, ...]
    previous_arm: int
    override: Override | None
    holdout: bool


def prepare(this: Round, case: Case) -> Preparation:
    """Bound one tenant's arms and ask the policy."""
    state = case.state
    previous_arm = _arm_in_force(this, case)
    override = state.override
    if override is not None and not override.active_at(this.as_of_us):
        override = None
    bounds = bound(
        state,
        this.guardrails,
        this.grid,
        previous_arm=previous_arm,
        at_us=this.as_of_us,
        killed=this.killed,
        # A person's override outranks budgets.
        budgeted=override is None,
    )
    wanted = propose(this, case, bounds.contractual, previous_arm)
    chosen = wanted
    withheld: tuple[Reason, ...] = ()
    if wanted.arm not in bounds.permitted:
        chosen = propose(this, case, bounds.permitted, previous_arm)
        withheld = _withheld(this, bounds, wanted.arm, previous_arm)
    experiment = this.experiment
    holdout = experiment is not None and in_holdout(
        state.unit, experiment.holdout_share, experiment.secret
    )
    return Preparation(bounds, wanted, chosen, withheld, previous_arm, override, holdout)


def propose(this: Round, case: Case, arms: tuple[int, ...], previous_arm: int) -> Proposal:
    """Ask the policy for one of ``arms``; an arm that is none of them becomes 100."""
    state = case.state
    if unexplored(this, state):
        return stay(Reason.LIMITS_UNEXPLORED)
    proposal = this.policy.propose(
        TenantView(
            tenant_id=state.tenant_id,
            arms=arms,
            outlook=case.outlook,
            segment=state.segment,
            plan=state.plan,
            previous_arm=previous_arm,
            money=case.money,
            economics=this.economics,
            period_days=this.period_days,
        )
    )
    if proposal.arm in arms:
        return proposal
    return Proposal(NEUTRAL, (Reason.POLICY_OUT_OF_BOUNDS, *proposal.reasons))


def unexplored(this: Round, state: TenantState) -> bool:
    """Whether the policy would follow a model to limits that it has not seen."""
    return state.unexplored and this.guardrails.unexplored_rule and this.policy.needs_model


def _arm_in_force(this: Round, case: Case) -> int:
    """The arm at the end of the period just before; 100 after a gap.

    A decision of this very period but of another mode (a what-if beside the live one) counts too.
    """
    previous = case.previous
    if previous is None or previous.period_end_us < this.period_start_us:
        return NEUTRAL
    return previous.served_arm


def _withheld(this: Round, bounds: Bounds, wanted: int, previous_arm: int) -> tuple[Reason, ...]:
    step = this.guardrails.step_hundredths
    if this.guardrails.step_rule and not within_step((wanted,), previous_arm, step):
        return (*bounds.rules, Reason.STEP_LIMIT)
    return bounds.rules
