"""Invariants that every policy must keep. Authors of policies of their own can run them too.

::

    from flyball.checks import check_policy
    check_policy(MyPolicy())
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping

from flyball.arm import DEFAULT_GRID, NEUTRAL
from flyball.economics import Economics
from flyball.errors import Refused
from flyball.money import TenantMoney
from flyball.outlook import ArmEffect, Estimate, Hazards, Outlook, Trust
from flyball.policy import Policy, TenantView
from flyball.reason import Reason

Check = Callable[[Policy, TenantView], str | None]

_SEGMENTS = ("", "startup", "smb", "enterprise")
_GRIDS = (DEFAULT_GRID, (85, 100, 115), (100, 115), (70, 85, 100), (100,), (50, 100, 200))


def check_policy(policy: Policy, *, seed: int = 0, rounds: int = 200) -> None:
    """Run every check over ``rounds`` generated views.

    Parameters
    ----------
    seed:
        The same seed generates the same views.

    Raises
    ------
    Refused
        Naming the policy, the check and the view that broke it.
    """
    for view in generated_views(seed, rounds):
        for name, check in CHECKS.items():
            problem = check(policy, view)
            if problem is not None:
                raise Refused(
                    f"The policy {policy.name} breaks the check {name}: {problem}.",
                    f"The view was {view!r}.",
                )


def generated_views(seed: int, rounds: int) -> Iterator[TenantView]:
    """Views of every sort: with and without model, effects, money, economics; few and many arms."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    for number in range(rounds):
        arms = rng.choice(_GRIDS)
        yield TenantView(
            tenant_id=f"tenant-{number}",
            arms=arms,
            outlook=_outlook(rng, arms),
            segment=rng.choice(_SEGMENTS),
            plan=rng.choice(("", "pro")),
            previous_arm=rng.choice(arms),
            money=_money(rng),
            economics=rng.choice((None, Economics(support_cost_minor=1500.0))),
            period_days=rng.choice((1, 7, 14, 28)),
        )


def arm_is_available(policy: Policy, view: TenantView) -> str | None:
    """The proposed arm is one of the view's."""
    arm = policy.propose(view).arm
    return None if arm in view.arms else f"it proposed {arm}, which is none of {view.arms}"


def proposal_is_repeatable(policy: Policy, view: TenantView) -> str | None:
    """The same view, asked twice and as a copy, gives the same proposal."""
    first, again = policy.propose(view), policy.propose(view)
    other = policy.propose(copy.deepcopy(view))
    return None if first == again == other else "the same view gave two different proposals"


def view_is_unchanged(policy: Policy, view: TenantView) -> str | None:
    """Proposing leaves the view as it was."""
    before = copy.deepcopy(view)
    policy.propose(view)
    return None if view == before else "it changed the view"


def neutral_without_model(policy: Policy, view: TenantView) -> str | None:
    """Without a model the proposal is 100, unless the policy says that it needs none."""
    if not policy.needs_model or view.outlook.hazards is not None:
        return None
    arm = policy.propose(view).arm
    return None if arm == NEUTRAL else f"it proposed {arm} without a model"


def reasons_are_known(policy: Policy, view: TenantView) -> str | None:
    """There is at least one reason, and each is a documented code."""
    reasons = policy.propose(view).reasons
    if not reasons:
        return "it gave no reason"
    unknown = [reason for reason in reasons if not isinstance(reason, Reason)]
    return f"it gave unknown reasons {unknown}" if unknown else None


def alone_it_stays(policy: Policy, view: TenantView) -> str | None:
    """Where only 100 is available, 100 is proposed."""
    only = TenantView(
        tenant_id=view.tenant_id,
        arms=(NEUTRAL,),
        outlook=view.outlook,
        segment=view.segment,
        money=view.money,
        economics=view.economics,
        period_days=view.period_days,
    )
    arm = policy.propose(only).arm
    return None if arm == NEUTRAL else f"it proposed {arm} where only 100 was available"


#: Name of each check to the check; each returns what is wrong, or None.
CHECKS: Mapping[str, Check] = {
    check.__name__: check
    for check in (
        arm_is_available,
        proposal_is_repeatable,
        view_is_unchanged,
        neutral_without_model,
        reasons_are_known,
        alone_it_stays,
    )
}


def _outlook(rng: random.Random, arms: tuple[int, ...]) -> Outlook:
    demand = rng.choice((0.0, 10.0 ** rng.uniform(0, 9)))
    if rng.random() < 0.25:
        return Outlook(hazards=None, effects={}, demand_per_period=demand)
    hazards = Hazards(
        upgrade=rng.choice((0.0, rng.uniform(0, 0.2))),
        downgrade=rng.choice((0.0, rng.uniform(0, 0.1))),
        churn=rng.choice((0.0, rng.uniform(0, 0.3), 0.7)),
    )
    effects = {arm: _effect(rng, arm) for arm in arms if rng.random() < 0.9}
    return Outlook(hazards=hazards, effects=effects, demand_per_period=demand)


def _effect(rng: random.Random, arm: int) -> ArmEffect:
    dose = rng.choice((None, 0.0, (NEUTRAL - arm) / NEUTRAL * rng.random()))
    trust = rng.choice(tuple(Trust))
    if trust is Trust.NONE:
        return ArmEffect(arm=arm, dose=dose, trust=trust)
    return ArmEffect(
        arm=arm,
        dose=dose,
        trust=trust,
        upgrade=_estimate(rng),
        downgrade=_estimate(rng),
        churn=_estimate(rng),
    )


def _estimate(rng: random.Random) -> Estimate | None:
    if rng.random() < 0.1:
        return None
    # Mostly small, sometimes absurd.
    size = rng.gauss(0, 0.02) if rng.random() < 0.95 else rng.uniform(-2, 2)
    return Estimate(rng.choice((0.0, size)), rng.uniform(0, 0.02))


def _money(rng: random.Random) -> TenantMoney | None:
    if rng.random() < 0.15:
        return None
    return TenantMoney(
        mrr_minor=rng.choice((None, 0.0, rng.uniform(0, 1e7))),
        upgrade_gain_minor=rng.choice((None, 0.0, rng.uniform(0, 1e7))),
        downgrade_loss_minor=rng.choice((None, 0.0, rng.uniform(0, 1e7))),
        unit_cost_minor=rng.choice((0.0, rng.uniform(0, 0.1))),
    )
