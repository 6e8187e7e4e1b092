"""Shadow decisions: what a challenger says, and would do, beside the champion."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one model says of one decision.

    ``arm`` is what the policy proposes under it, after the tenant's own guardrails and before
    budgets and draw; ``reason`` why. Hazards are per period under the arm that was served, each in
    [0, 1]. ``advantage_minor`` is what ``arm`` is expected to earn against 100 by this model, and
    ``others_minor`` what it expects of the other model's arm: minor units over the value horizon,
    None where money is not known.
    """

    version: str
    arm: int
    reason: str
    upgrade: float | None = None
    downgrade: float | None = None
    churn: float | None = None
    advantage_minor: float | None = None
    others_minor: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowDecision:
    """One decision as champion and challenger see it; logged once for a pair of versions."""

    decision_id: str
    tenant_id: str
    organisation: str
    segment: str
    at_us: int
    period_start_us: int
    period_days: int
    policy: str
    policy_version: str
    served_arm: int
    champion: Said
    challenger: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRun:
    """What shadowing some tenants cost; ``scoring_ms`` is the challenger's graphs alone."""

    at_us: int
    champion_version: str
    challenger_version: str
    tenants: int
    duration_ms: float
    scoring_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowCost:
    """What shadowing has cost so far."""

    tenants: int = 0
    duration_ms: float = 0.0
    scoring_ms: float = 0.0


#: A shadow decision and the first outcome within its period ("" for none); None: not over yet.
MaturedShadow = tuple[ShadowDecision, str | None]
