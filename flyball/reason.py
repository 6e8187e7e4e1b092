"""Reason codes: why a decision is what it is, in one sentence for each reader."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Stable codes; ``docs/reference/reason-codes.md`` lists every one.

    A decision's first reason says why its arm is what it is; the others say which rules narrowed
    what could be offered. A code is never reused with another meaning.
    """

    # The policy's own words.
    STATIC_POLICY = "static_policy"
    CONSTANT_POLICY = "constant_policy"
    RELAX_POLICY = "relax_policy"
    SEGMENT_POLICY = "segment_policy"
    HIGH_CHURN_RISK = "high_churn_risk"
    HIGH_UPGRADE_CHANCE = "high_upgrade_chance"
    NO_RULE_APPLIES = "no_rule_applies"
    UPGRADE_EFFECT_OUTWEIGHS_CHURN = "upgrade_effect_outweighs_churn"
    RELIEF_OUTWEIGHS_COST = "relief_outweighs_cost"
    NO_ARM_PAYS = "no_arm_pays"
    NO_MODEL = "no_model"
    NO_EFFECT = "no_effect"
    NO_ECONOMICS = "no_economics"
    NO_REVENUE = "no_revenue"
    # Experiment.
    EXPLORED = "explored"
    HOLDOUT = "holdout"
    # Guardrails.
    KILL_SWITCH = "kill_switch"
    KILL_SWITCH_ENDED = "kill_switch_ended"
    UNKNOWN_PLAN = "unknown_plan"
    CONTRACT_LIMIT = "contract_limit"
    SPIKE = "spike"
    INCIDENT = "incident"
    NEW_TENANT = "new_tenant"
    RENEWAL_NEAR = "renewal_near"
    URGENT_TICKET = "urgent_ticket"
    STALE_FEATURES = "stale_features"
    RECENT_UPGRADE = "recent_upgrade"
    LIMITS_UNEXPLORED = "limits_unexplored"
    STEP_LIMIT = "step_limit"
    FRICTION_SHARE_REACHED = "friction_share_reached"
    OVERDRAFT_BUDGET_SPENT = "overdraft_budget_spent"
    TENANT_OVERDRAFT_SPENT = "tenant_overdraft_spent"
    HARM_BUDGET_SPENT = "harm_budget_spent"
    POLICY_OUT_OF_BOUNDS = "policy_out_of_bounds"
    # A person's move.
    OVERRIDE_FORCE = "override_force"
    OVERRIDE_EXEMPT = "override_exempt"
    OVERRIDE_FREEZE = "override_freeze"
    OVERRIDE_CHOOSE = "override_choose"
    OVERRIDE_LIMITED = "override_limited"
    OVERRIDE_WAITS = "override_waits"
    OVERRIDE_ENDED = "override_ended"
    # Where an answer came from, when it is not a fresh decision.
    LAST_KNOWN_GOOD = "last_known_good"
    PLAN_DEFAULT = "plan_default"
    UNKNOWN_TENANT = "unknown_tenant"


class Words(NamedTuple):
    """One sentence for the customer-success manager and one that the tenant may read.

    The tenant's sentence never names a probability, a score, an experiment or a rival's account.
    """

    cs: str
    tenant: str


_UNCHANGED = "Your plan's usual limit applies."
_ADJUSTED = "Your limit is adjusted within your plan's terms."
_RAISED = "Your limit is raised for now."

WORDS: dict[Reason, Words] = {
    Reason.STATIC_POLICY: Words(
        "The static policy leaves every tenant at the plan's limit.", _UNCHANGED
    ),
    Reason.CONSTANT_POLICY: Words(
        "The constant policy proposes one multiplier for every tenant.", _ADJUSTED
    ),
    Reason.RELAX_POLICY: Words("The relax policy gives every tenant more room.", _RAISED),
    Reason.SEGMENT_POLICY: Words("The segment's configured multiplier applies.", _ADJUSTED),
    Reason.HIGH_CHURN_RISK: Words(
        "The predicted chance of leaving is high, so the limit is relaxed.", _RAISED
    ),
    Reason.HIGH_UPGRADE_CHANCE: Words(
        "An upgrade is likely and leaving is not, so the goodwill above the contract is reduced.",
        _ADJUSTED,
    ),
    Reason.NO_RULE_APPLIES: Words("No rule of the policy applies to this tenant.", _UNCHANGED),
    Reason.UPGRADE_EFFECT_OUTWEIGHS_CHURN: Words(
        "Tightening is expected to earn more in upgrades than it risks in churn.", _ADJUSTED
    ),
    Reason.RELIEF_OUTWEIGHS_COST: Words(
        "Relaxing is expected to keep or earn more than the extra requests cost.", _RAISED
    ),
    Reason.NO_ARM_PAYS: Words(
        "No multiplier is expected to be worth more than leaving the limit alone.", _UNCHANGED
    ),
    Reason.NO_MODEL: Words(
        "There is no model yet, so the limit stays as the plan says.", _UNCHANGED
    ),
    Reason.NO_EFFECT: Words(
        "There is not enough evidence of what any multiplier changes for this tenant.", _UNCHANGED
    ),
    Reason.NO_ECONOMICS: Words(
        "economics.json is missing, so multipliers cannot be compared in money.", _UNCHANGED
    ),
    Reason.NO_REVENUE: Words(
        "The tenant's revenue, or a currency rate for it, is missing.", _UNCHANGED
    ),
    Reason.EXPLORED: Words(
        "The experiment drew this multiplier instead of the policy's choice.", _ADJUSTED
    ),
    Reason.HOLDOUT: Words(
        "The tenant belongs to the holdout, which always keeps the plan's limit.", _UNCHANGED
    ),
    Reason.KILL_SWITCH: Words("The kill switch is on: every limit is the plan's.", _UNCHANGED),
    Reason.KILL_SWITCH_ENDED: Words(
        "The kill switch is off again; the policy acts again from the next period on.",
        _UNCHANGED,
    ),
    Reason.UNKNOWN_PLAN: Words(
        "The tenant's plan is not known, so nothing is adjusted.", _UNCHANGED
    ),
    Reason.CONTRACT_LIMIT: Words(
        "The multiplier would have gone below what the contract promises.", _UNCHANGED
    ),
    Reason.SPIKE: Words(
        "Demand is spiking; no friction is applied during a spike.",
        "No reduction is applied while your demand is unusually high.",
    ),
    Reason.INCIDENT: Words(
        "An incident is open; no friction is applied during an incident.",
        "No reduction is applied while a service incident is open.",
    ),
    Reason.NEW_TENANT: Words(
        "The tenant is new; no friction is applied in its first days.", _UNCHANGED
    ),
    Reason.RENEWAL_NEAR: Words(
        "The term contract is close to its renewal; no friction is applied.", _UNCHANGED
    ),
    Reason.URGENT_TICKET: Words(
        "An urgent ticket is open; no friction is applied until it is closed.",
        "No reduction is applied while your urgent ticket is open.",
    ),
    Reason.STALE_FEATURES: Words(
        "The tenant's usage data is missing or too old to justify friction.", _UNCHANGED
    ),
    Reason.RECENT_UPGRADE: Words(
        "The tenant upgraded recently; the new plan starts at its full limit.",
        "Your new plan's full limit applies.",
    ),
    Reason.LIMITS_UNEXPLORED: Words(
        "The model has not seen these limits in use; exploration apart, nothing is adjusted.",
        _UNCHANGED,
    ),
    Reason.STEP_LIMIT: Words(
        "The multiplier moves away from 1 by one step a period at most.", _ADJUSTED
    ),
    Reason.FRICTION_SHARE_REACHED: Words(
        "As many tenants of this segment as allowed may already be under friction.", _UNCHANGED
    ),
    Reason.OVERDRAFT_BUDGET_SPENT: Words(
        "This period's budget for extra requests is reserved for other tenants.", _UNCHANGED
    ),
    Reason.TENANT_OVERDRAFT_SPENT: Words(
        "The tenant has used up its own budget for extra requests.", _UNCHANGED
    ),
    Reason.HARM_BUDGET_SPENT: Words(
        "Friction here would take the predicted churn that friction causes above its budget.",
        _UNCHANGED,
    ),
    Reason.POLICY_OUT_OF_BOUNDS: Words(
        "The policy proposed a multiplier that was not offered; the plan's limit is kept.",
        _UNCHANGED,
    ),
    Reason.OVERRIDE_FORCE: Words("A person has set the multiplier to 1.", _UNCHANGED),
    Reason.OVERRIDE_EXEMPT: Words(
        "A person has exempted the tenant from friction.", "No reduction is applied to your limit."
    ),
    Reason.OVERRIDE_FREEZE: Words("A person has frozen the multiplier.", _ADJUSTED),
    Reason.OVERRIDE_CHOOSE: Words("A person has chosen the multiplier.", _ADJUSTED),
    Reason.OVERRIDE_LIMITED: Words(
        "The multiplier that a person chose is not offered now; the nearest one towards 1 is used.",
        _ADJUSTED,
    ),
    Reason.OVERRIDE_WAITS: Words(
        "The tighter multiplier that a person chose starts with the next period.", _UNCHANGED
    ),
    Reason.OVERRIDE_ENDED: Words(
        "A person's override has ended; the plan's limit applies until the next period.",
        _UNCHANGED,
    ),
    Reason.LAST_KNOWN_GOOD: Words(
        "The newest snapshot is older than it should be; its decision is served without friction.",
        _UNCHANGED,
    ),
    Reason.PLAN_DEFAULT: Words(
        "There is no decision young enough, so the plan's own limit is served.", _UNCHANGED
    ),
    Reason.UNKNOWN_TENANT: Words(
        "This tenant is not known; nothing was stored, and nothing is adjusted.", _UNCHANGED
    ),
}


def for_cs(codes: Iterable[str]) -> tuple[str, ...]:
    """Sentences for the customer-success manager, in the order of ``codes``.

    A code of a later version is shown as it is rather than refused.
    """
    return tuple(WORDS[Reason(code)].cs if code in _CODES else code for code in codes)


def for_tenant(codes: Iterable[str]) -> str:
    """The one sentence a tenant may read: that of the first known code, or a neutral one."""
    known = next((Reason(code) for code in codes if code in _CODES), None)
    return WORDS[known].tenant if known is not None else _UNCHANGED


_CODES = frozenset(reason.value for reason in Reason)
