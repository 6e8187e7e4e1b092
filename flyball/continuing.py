"""Within a period: the arm is kept, probabilities are refreshed, and only safety moves it.

Nothing is drawn again and the assignment never changes; what is *served* may move:

- to 100 at once, when the kill switch, an unknown plan, a contract limit, a no-friction rule or a
  fresh upgrade says so, and it stays there until the next period;
- as a person says: towards 100 at once; to an arm above 100 at once where contracts, rules and
  steps allow it, because more room harms nobody; a tighter arm waits for the next period's start.
"""

from __future__ import annotations

from typing import NamedTuple

from flyball.arm import NEUTRAL, keeps_contracts, nearest_towards_neutral
from flyball.budget import Budgets, extra_requests
from flyball.case import Case
from flyball.decision import Assignment, Decision
from flyball.guardrail import allowed_arms, bound, no_friction_rules, recently_upgraded
from flyball.outlook import chances_under
from flyball.override import Override, OverrideKind
from flyball.preparation import unexplored
from flyball.reason import Reason
from flyball.round import Round
from flyball.state import TenantState

# Codes of a person's move that leaves no trace once it is over.
_PASSING = frozenset({Reason.OVERRIDE_FREEZE.value, Reason.OVERRIDE_WAITS.value})

# Codes of a person's move that once was what is served; after its end `override_ended` stands
# in their place.
_MOVED = frozenset(
    {
        Reason.OVERRIDE_FORCE.value,
        Reason.OVERRIDE_EXEMPT.value,
        Reason.OVERRIDE_CHOOSE.value,
        Reason.OVERRIDE_LIMITED.value,
    }
)


_KILL_ON = Reason.KILL_SWITCH.value
_KILL_OVER = Reason.KILL_SWITCH_ENDED.value


class _Served(NamedTuple):
    """The arm to serve from now on, and why it differs from what was drawn."""

    arm: int
    reasons: tuple[Reason, ...] = ()


def decision_in_force(this: Round, case: Case) -> Decision | None:
    """The case's previous decision if it is of this very period and mode, else None."""
    previous = case.previous
    if (
        previous is not None
        and previous.period_start_us == this.period_start_us
        and previous.period_days == this.period_days
        and previous.mode is this.mode
    ):
        return previous
    return None


def carry_on(this: Round, case: Case, previous: Decision, budgets: Budgets) -> Decision:
    """The same decision with fresh probabilities and limits, and with safety exits applied."""
    state, outlook = case.state, case.outlook
    served = _serve(this, case, previous)
    overdraft_requests = previous.overdraft_requests
    if served.arm > previous.served_arm and served.arm > NEUTRAL:
        needed = extra_requests(outlook, served.arm)
        budgets.charge(
            state.tenant_id,
            state.segment,
            arm=served.arm,
            requests=max(0.0, needed - overdraft_requests),
            unit_cost_minor=case.unit_cost_minor,
        )
        overdraft_requests = max(overdraft_requests, needed)
    primary = state.limits[0] if state.limits else None
    chances = chances_under(outlook, served.arm, period_days=this.period_days)
    return Decision(
        decision_id=previous.decision_id,
        tenant_id=previous.tenant_id,
        organisation=previous.organisation,
        mode=previous.mode,
        assignment=previous.assignment,
        period_start_us=previous.period_start_us,
        period_days=previous.period_days,
        decided_us=previous.decided_us,
        arm=previous.arm,
        served_arm=served.arm,
        proposed_arm=previous.proposed_arm,
        offered=previous.offered,
        propensity=previous.propensity,
        reasons=_reasons(this, previous, served, case.state.override is not None),
        policy=previous.policy,
        policy_version=previous.policy_version,
        experiment=previous.experiment,
        model_version=this.model_version if case.model_version is None else case.model_version,
        feature_hash=this.feature_hash if case.feature_hash is None else case.feature_hash,
        base_limit=None if primary is None else primary.base,
        contract_limit=None if primary is None else primary.contract,
        window_seconds=None if primary is None else primary.counting_seconds,
        upgrade_probability=None if chances is None else chances.upgrade,
        downgrade_probability=None if chances is None else chances.downgrade,
        churn_probability=None if chances is None else chances.churn,
        # What was known before the draw: later demand must not rewrite it.
        expected_dose=previous.expected_dose,
        continued=True,
        marginal_propensity=previous.marginal_propensity,
        overdraft_requests=overdraft_requests,
    )


def _serve(this: Round, case: Case, previous: Decision) -> _Served:
    state = case.state
    served = previous.served_arm
    exits = () if served == NEUTRAL else safety_exits(this, state, served)
    if served != NEUTRAL and not exits and _limits_moved(this, state, previous):
        exits = (Reason.LIMITS_UNEXPLORED,)
    if exits:
        served = NEUTRAL
    override = state.override
    if this.killed or not state.limits:
        return _Served(served, exits)
    if override is not None and override.active_at(this.as_of_us):
        moved = _by_person(this, state, served, override)
        return _Served(moved.arm, (*exits, *moved.reasons))
    if served != NEUTRAL and Reason.OVERRIDE_CHOOSE.value in previous.reasons:
        return _Served(NEUTRAL, (Reason.OVERRIDE_ENDED,))
    if served == NEUTRAL and not _MOVED.isdisjoint(previous.reasons):
        return _Served(served, (*exits, Reason.OVERRIDE_ENDED))
    return _Served(served, exits)


def _reasons(this: Round, previous: Decision, served: _Served, by_person: bool) -> tuple[str, ...]:
    """New reasons first, then the earlier ones that still say something."""
    # What the kill switch has moved stays where it is; whether it still is on must not.
    said, true = (_KILL_OVER, _KILL_ON) if this.killed else (_KILL_ON, _KILL_OVER)
    earlier = tuple(true if code == said else code for code in previous.reasons)
    if not by_person and previous.assignment is not Assignment.OVERRIDE:
        earlier = tuple(code for code in earlier if code not in _PASSING)
    if Reason.OVERRIDE_ENDED in served.reasons:
        earlier = tuple(code for code in earlier if code not in _MOVED)
    if not served.reasons:
        return earlier
    return tuple(dict.fromkeys((*(reason.value for reason in served.reasons), *earlier)))


def safety_exits(this: Round, state: TenantState, served: int) -> tuple[Reason, ...]:
    """Why ``served`` (not 100) must go back to 100 at once; empty where it may stay."""
    if this.killed:
        return (Reason.KILL_SWITCH,)
    if not state.limits:
        return (Reason.UNKNOWN_PLAN,)
    if not keeps_contracts(served, state.limits):
        return (Reason.CONTRACT_LIMIT,)
    if served < NEUTRAL:
        return no_friction_rules(state, this.guardrails, this.as_of_us)
    if recently_upgraded(state, this.guardrails, this.as_of_us):
        return (Reason.RECENT_UPGRADE,)
    return ()


def _limits_moved(this: Round, state: TenantState, previous: Decision) -> bool:
    """Whether the arm was chosen for other limits, and the model has not seen those in force."""
    if previous.assignment not in (Assignment.DRAWN, Assignment.POLICY):
        return False
    primary = state.limits[0]
    chosen_for = (previous.base_limit, previous.contract_limit)
    return unexplored(this, state) and chosen_for != (primary.base, primary.contract)


def _by_person(this: Round, state: TenantState, served: int, override: Override) -> _Served:
    if override.kind is OverrideKind.FORCE_NEUTRAL:
        return _Served(NEUTRAL, (Reason.OVERRIDE_FORCE,))
    if override.kind is OverrideKind.EXEMPT:
        return _Served(max(served, NEUTRAL), (Reason.OVERRIDE_EXEMPT,))
    if override.kind is OverrideKind.FREEZE or override.arm is None:
        return _Served(served, (Reason.OVERRIDE_FREEZE,))
    allowed = allowed_arms(this.grid, state.limits)
    wanted = nearest_towards_neutral(override.arm, allowed)
    if wanted > NEUTRAL and wanted > served:
        # A person outranks budgets, but not contracts, rules and steps. The step counts from 100,
        # not from what is served: else it could be taken again and again within one period.
        bounds = bound(
            state,
            this.guardrails,
            this.grid,
            previous_arm=NEUTRAL,
            at_us=this.as_of_us,
            budgeted=False,
        )
        wanted = max(served, nearest_towards_neutral(wanted, bounds.permitted))
    if wanted < served and wanted < NEUTRAL:
        return _Served(min(served, NEUTRAL), (Reason.OVERRIDE_WAITS,))
    if wanted == override.arm:
        return _Served(wanted, (Reason.OVERRIDE_CHOOSE,))
    return _Served(wanted, (Reason.OVERRIDE_CHOOSE, Reason.OVERRIDE_LIMITED))
