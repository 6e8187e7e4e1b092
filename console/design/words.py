"""Codes as words: factors, reasons in a few words, and who has set a multiplier."""

from __future__ import annotations

import json

from flyball.reason import for_cs

#: The factor groups that explanations name (``features.catalogue``), as people say them.
FACTORS = {
    "commercial": "contract and plan",
    "consumption": "use of the limit",
    "engagement": "logins and seats",
    "friction": "limits felt",
    "support": "tickets and incidents",
    "trajectory": "usage trend",
}

#: The first reason of a decision in a few words; the sentence is ``flyball.reason.for_cs``.
SHORT = {
    "static_policy": "Plan's own limit",
    "constant_policy": "One multiplier for all",
    "relax_policy": "More room for all",
    "segment_policy": "Segment's multiplier",
    "high_churn_risk": "Risk of leaving",
    "high_upgrade_chance": "Likely to upgrade",
    "no_rule_applies": "No rule applies",
    "upgrade_effect_outweighs_churn": "Upgrade outweighs risk",
    "relief_outweighs_cost": "Relief outweighs cost",
    "no_arm_pays": "No change pays",
    "no_model": "No model yet",
    "no_effect": "Too little evidence",
    "no_economics": "Economics missing",
    "no_revenue": "Revenue missing",
    "explored": "Experiment's draw",
    "holdout": "Holdout",
    "kill_switch": "Kill switch",
    "kill_switch_ended": "Kill switch is off again",
    "unknown_plan": "Plan unknown",
    "contract_limit": "Contract limit",
    "spike": "Demand is spiking",
    "incident": "Open incident",
    "new_tenant": "New account",
    "renewal_near": "Renewal is near",
    "urgent_ticket": "Urgent ticket",
    "stale_features": "Data too old",
    "recent_upgrade": "Upgraded recently",
    "limits_unexplored": "Limits not seen before",
    "step_limit": "One step a period",
    "friction_share_reached": "Segment's share reached",
    "overdraft_budget_spent": "Overdraft budget spent",
    "tenant_overdraft_spent": "Own overdraft spent",
    "harm_budget_spent": "Harm budget spent",
    "policy_out_of_bounds": "Out of bounds",
    "override_force": "Set to ×1 by a person",
    "override_exempt": "Exempted by a person",
    "override_freeze": "Frozen by a person",
    "override_choose": "Chosen by a person",
    "override_limited": "Person's choice, limited",
    "override_waits": "Person's choice waits",
    "override_ended": "Override has ended",
}

_SET_BY = {
    "drawn": "experiment",
    "policy": "policy",
    "holdout": "holdout",
    "override": "a person",
    "killed": "kill switch",
}


def factor(name: str | None) -> str:
    """A factor group as people say it."""
    return FACTORS.get(name or "", (name or "").replace("_", " "))


def reason_codes(text: str | None) -> list[str]:
    """The reason codes of a decision as the read model keeps them."""
    return [str(code) for code in json.loads(text)] if text else []


def short_reason(code: str) -> str:
    """A reason in a few words."""
    return SHORT.get(code, code.replace("_", " "))


def sentences(codes: list[str]) -> list[str]:
    """The reasons as sentences for customer success."""
    return list(for_cs(codes))


def set_by(assignment: str | None, codes: list[str]) -> str:
    """Who or what has set the multiplier that is served now."""
    first = codes[0] if codes else ""
    if first.startswith("override_") and first != "override_ended":
        return "a person"
    if first == "kill_switch":
        return "kill switch"
    if assignment == "drawn":
        return "experiment" if "explored" in codes else "policy"
    return _SET_BY.get(assignment or "", assignment or "")
