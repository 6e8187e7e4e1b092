"""Why a tenant has its decision: reasons, factors and their change, and the arms side by side."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter

from flyball.arm import NEUTRAL
from flyball.errors import NotFound
from flyball.identity import check_identifier
from flyball.instant import format_instant
from flyball.reason import for_cs
from ledger.explanations import ArmView, Evidence, Explained
from serving.rest.gate import At, Reader
from serving.rest.run import in_thread

#: Factor groups told per outcome.
TOP_FACTORS = 5
#: Half-width of a 95 % normal interval, in standard deviations.
_Z95 = 1.96

_EVIDENCE = {"none": "insufficient evidence"}

_METHOD = (
    "Signed contribution on the log-odds scale by path attribution. Factors are associated with "
    "the outcome; only the effects of the arms are causal."
)


def factors(explained: Explained, outcome: str) -> list[dict[str, Any]]:
    """The largest factor groups of one outcome, with their change since the decision before."""
    now = explained.current.contributions.get(outcome, {})
    before = explained.previous.contributions.get(outcome) if explained.previous else None
    ranked = sorted(now.items(), key=lambda item: (-abs(item[1]), item[0]))
    return [
        {
            "factor": name,
            "contribution": round(value, 4),
            "change": None if before is None else round(value - before.get(name, 0.0), 4),
        }
        for name, value in ranked[:TOP_FACTORS]
        if value != 0.0
    ]


def chance(mean: float | None, sd: float | None) -> dict[str, float] | None:
    """A probability over 28 days with its 95 % interval for the arm's effect, within [0, 1]."""
    if mean is None:
        return None
    half = _Z95 * (sd or 0.0)
    low, high = max(0.0, mean - half), min(1.0, mean + half)
    return {"mean": round(mean, 5), "low": round(low, 5), "high": round(high, 5)}


def arm_document(view: ArmView) -> dict[str, Any]:
    """One arm of the what-if."""
    return {
        "multiplier": view.arm / 100,
        "evidence": _EVIDENCE.get(view.trust, view.trust) if view.arm != NEUTRAL else "reference",
        "expectedDose": view.dose,
        "upsellProbability": chance(view.upgrade, view.upgrade_sd),
        "churnProbability": chance(view.churn, view.churn_sd),
        "offered": view.propensity is not None,
        "propensity": view.propensity,
    }


def _feature_changes(now: Evidence, before: Evidence | None) -> list[dict[str, Any]]:
    if before is None:
        return []
    changed = []
    for name, value in now.features.items():
        earlier = before.features.get(name)
        if value is not None and earlier is not None and value != earlier:
            scale = max(abs(value), abs(earlier))
            changed.append((abs(value - earlier) / scale, name, earlier, value))
    largest = sorted(changed, key=lambda item: (-item[0], item[1]))[:TOP_FACTORS]
    return [{"feature": name, "before": old, "now": new} for _, name, old, new in largest]


def document(decision: dict[str, Any], explained: Explained | None) -> dict[str, Any]:
    """The explanation as JSON; without a model only the reasons."""
    codes = decision["reasons"]
    body: dict[str, Any] = {
        "tenantId": decision["tenantId"],
        "decision": decision,
        "reasons": [
            {"code": code, "text": text} for code, text in zip(codes, for_cs(codes), strict=True)
        ],
        "evidence": None,
    }
    if explained is None:
        return body
    now = explained.current
    body["evidence"] = {
        "decisionId": now.decision_id,
        "modelVersion": now.model_version,
        "asOf": format_instant(now.as_of_us),
        "proposedMultiplier": now.proposed_arm / 100,
        "comparedWith": None if explained.previous is None else explained.previous.decision_id,
        "factorMethod": _METHOD,
        "upgradeFactors": factors(explained, "upgrade"),
        "churnFactors": factors(explained, "churn"),
        "changedFeatures": _feature_changes(now, explained.previous),
        "arms": [arm_document(view) for view in now.arms],
    }
    return body


def routes() -> APIRouter:
    """The route for people who ask why."""
    router = APIRouter(tags=["decisions"])

    @router.get(
        "/v1/decisions/{name}/explanation",
        summary="Why: reasons, top factors and their change, what each arm would change",
    )
    async def explanation(name: str, worker: At, _: Reader) -> dict[str, Any]:
        check_identifier(name, field="tenantId")
        decision = msgspec.json.decode(worker.answer(name))
        if decision["decisionId"] is None:
            raise NotFound(f"There is no decision for {name}.", "Is it a tenant or an alias?")
        found = await in_thread(lambda: worker.explanation(decision["tenantId"]))
        return document(decision, found)

    return router
