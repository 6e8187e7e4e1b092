"""Settlement: override, holdout, budgets and shares, exploration, policy - in this order."""

from __future__ import annotations

from typing import NamedTuple

from flyball.arm import NEUTRAL, nearest_towards_neutral
from flyball.budget import Budgets, Reserved, extra_requests
from flyball.case import Case
from flyball.decision import Assignment
from flyball.experiment import Experiment, draw, marginal_propensity, propensities_of
from flyball.override import Override, OverrideKind
from flyball.policy import Proposal
from flyball.preparation import Preparation, propose
from flyball.reason import Reason
from flyball.round import Round


class Settlement(NamedTuple):
    """The arm, how it came about, and the probabilities of everything that was offered."""

    assignment: Assignment
    arm: int
    propensities: dict[int, float]
    choice: int
    reasons: tuple[Reason, ...]
    marginal: float | None = None
    overdraft_requests: float = 0.0


def settle(this: Round, case: Case, prepared: Preparation, budgets: Budgets) -> Settlement:
    """Reserve what the tenant needs, then draw or take the policy's choice."""
    if this.killed:
        return _certain(Assignment.KILLED, NEUTRAL, NEUTRAL, (Reason.KILL_SWITCH,))
    if prepared.override is not None:
        return _by_person(this, case, prepared, prepared.override, budgets)
    if this.experiment is None:
        return _by_policy(this, case, prepared, budgets)
    if prepared.holdout:
        return _held_out(prepared, this.experiment)
    return _by_draw(this, case, prepared, this.experiment, budgets)


def _by_policy(this: Round, case: Case, prepared: Preparation, budgets: Budgets) -> Settlement:
    """No experiment: the policy's choice, with nothing drawn."""
    reserved = _reserve(case, _with_neutral(prepared.chosen.arm), budgets)
    reserved, choices = _within_harm(this, case, prepared, reserved, 0.0, budgets)
    choice, reasons = _affordable(this, case, prepared, reserved, choices)
    propensities = {arm: float(arm == choice) for arm in _with_neutral(choice)}
    budgets.harm.take(case.state.tenant_id, case.outlook, propensities, choice=choice)
    return Settlement(
        Assignment.POLICY,
        choice,
        propensities,
        choice,
        reasons,
        overdraft_requests=reserved.requests,
    )


def _by_draw(
    this: Round, case: Case, prepared: Preparation, experiment: Experiment, budgets: Budgets
) -> Settlement:
    epsilon = experiment.epsilon
    permitted = prepared.bounds.permitted
    # With epsilon 0 only the choice can be drawn: nothing else needs a place.
    at_risk = permitted if epsilon > 0.0 else _with_neutral(prepared.chosen.arm)
    reserved = _reserve(case, at_risk, budgets)
    reserved, choices = _within_harm(this, case, prepared, reserved, epsilon, budgets)
    choice, reasons = _affordable(this, case, prepared, reserved, choices)
    drawn = draw(
        case.state.unit,
        this.period_start_us,
        experiment.name,
        experiment.secret,
        offered=reserved.arms,
        choice=choice,
        epsilon=epsilon,
    )
    budgets.harm.take(case.state.tenant_id, case.outlook, drawn.propensities, choice=choice)
    if drawn.arm != choice:
        reasons = (Reason.EXPLORED, *reasons)
    propensity = drawn.propensities[drawn.arm]
    return Settlement(
        Assignment.DRAWN,
        drawn.arm,
        drawn.propensities,
        choice,
        reasons,
        marginal_propensity(drawn.arm, propensity, experiment.holdout_share),
        reserved.requests,
    )


def _held_out(prepared: Preparation, experiment: Experiment) -> Settlement:
    """Arm 100 for good; its marginal propensity counts what a draw would have offered.

    Budgets are left out of that: a holdout tenant reserves nothing.
    """
    choice = prepared.chosen.arm
    if_drawn = propensities_of(prepared.bounds.permitted, choice, experiment.epsilon)[NEUTRAL]
    settled = _certain(Assignment.HOLDOUT, NEUTRAL, choice, (Reason.HOLDOUT,))
    return settled._replace(
        marginal=marginal_propensity(NEUTRAL, if_drawn, experiment.holdout_share)
    )


def _by_person(
    this: Round, case: Case, prepared: Preparation, override: Override, budgets: Budgets
) -> Settlement:
    permitted = prepared.bounds.permitted
    policy_choice = prepared.chosen.arm
    rules = prepared.bounds.rules
    if override.kind is OverrideKind.FORCE_NEUTRAL:
        reasons: tuple[Reason, ...] = (Reason.OVERRIDE_FORCE,)
        return _certain(Assignment.OVERRIDE, NEUTRAL, policy_choice, reasons)
    if override.kind is OverrideKind.EXEMPT:
        return _exempted(this, case, prepared, budgets)
    frozen = override.kind is OverrideKind.FREEZE or override.arm is None
    wanted = prepared.previous_arm if frozen or override.arm is None else override.arm
    arm = nearest_towards_neutral(wanted, permitted)
    reasons = (Reason.OVERRIDE_FREEZE if frozen else Reason.OVERRIDE_CHOOSE,)
    if arm != wanted:
        reasons = (*reasons, Reason.OVERRIDE_LIMITED, *rules)
    requests = extra_requests(case.outlook, arm)
    state = case.state
    budgets.charge(
        state.tenant_id,
        state.segment,
        arm=arm,
        requests=requests,
        unit_cost_minor=case.unit_cost_minor,
    )
    budgets.harm.take(state.tenant_id, case.outlook, {arm: 1.0}, choice=policy_choice)
    settled = _certain(Assignment.OVERRIDE, arm, policy_choice, reasons)
    return settled._replace(overdraft_requests=requests)


def _exempted(this: Round, case: Case, prepared: Preparation, budgets: Budgets) -> Settlement:
    """The policy's choice among 100 and above; a holdout tenant stays at 100."""
    relaxing = tuple(arm for arm in prepared.bounds.permitted if arm >= NEUTRAL)
    if prepared.holdout or _overdrawn(this, case):
        relaxing = (NEUTRAL,)
    chosen = prepared.chosen
    if chosen.arm not in relaxing:
        chosen = propose(this, case, relaxing, prepared.previous_arm)
    reserved = _reserve(case, _with_neutral(chosen.arm), budgets)
    arm = chosen.arm if chosen.arm in reserved.arms else NEUTRAL
    reasons = (Reason.OVERRIDE_EXEMPT, *chosen.reasons, *reserved.refusals)
    settled = _certain(Assignment.OVERRIDE, arm, arm, reasons)
    return settled._replace(overdraft_requests=reserved.requests)


def _reserve(case: Case, arms: tuple[int, ...], budgets: Budgets) -> Reserved:
    if len(arms) == 1:
        return Reserved(arms, 0.0, ())
    requests = {arm: extra_requests(case.outlook, arm) for arm in arms if arm > NEUTRAL}
    state = case.state
    return budgets.reserve(
        state.tenant_id,
        state.segment,
        arms=arms,
        requests=requests,
        unit_cost_minor=case.unit_cost_minor,
    )


def _within_harm(
    this: Round,
    case: Case,
    prepared: Preparation,
    reserved: Reserved,
    epsilon: float,
    budgets: Budgets,
) -> tuple[Reserved, tuple[int, ...]]:
    """What the harm budget has room for: arms to offer, and those of them that may be chosen.

    A choice that does not fit gives way before an arm that is only explored does.
    """
    state, kept = case.state, reserved.arms
    choices = kept
    while kept[0] < NEUTRAL:
        choice = prepared.chosen.arm
        if choice not in choices:
            choice = propose(this, case, choices, prepared.previous_arm).arm
        chances = propensities_of(kept, choice, epsilon)
        if budgets.harm.fits(state.tenant_id, case.outlook, chances, choice=choice):
            break
        if choice < NEUTRAL:
            choices = tuple(arm for arm in choices if arm > choice)
        else:
            kept = choices = kept[1:]
    if choices == reserved.arms:
        return reserved, choices
    if epsilon == 0.0:
        # What is neither chosen nor explored needs no place.
        kept = choices
    if kept[0] >= NEUTRAL:
        budgets.release_friction(state.tenant_id, state.segment, requests=reserved.requests)
    refusals = (*reserved.refusals, Reason.HARM_BUDGET_SPENT)
    return Reserved(kept, reserved.requests, refusals), choices


def _affordable(
    this: Round,
    case: Case,
    prepared: Preparation,
    reserved: Reserved,
    choices: tuple[int, ...],
) -> tuple[int, tuple[Reason, ...]]:
    """The choice among ``choices``, and its reasons: what decided it comes first."""
    chosen: Proposal = prepared.chosen
    blocked = prepared.withheld
    if chosen.arm not in choices:
        blocked = (*blocked, *reserved.refusals)
        chosen = propose(this, case, choices, prepared.previous_arm)
    return chosen.arm, (*blocked, *chosen.reasons, *prepared.bounds.rules, *reserved.refusals)


def _certain(
    assignment: Assignment, arm: int, choice: int, reasons: tuple[Reason, ...]
) -> Settlement:
    return Settlement(assignment, arm, {arm: 1.0}, choice, reasons)


def _with_neutral(arm: int) -> tuple[int, ...]:
    return (NEUTRAL,) if arm == NEUTRAL else tuple(sorted((arm, NEUTRAL)))


def _overdrawn(this: Round, case: Case) -> bool:
    allowed = this.guardrails.overdraft_tenant_periods
    return allowed is not None and case.state.overdraft_periods >= allowed
