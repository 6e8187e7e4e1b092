"""Decisions: the arm of one tenant for one period, with everything needed to learn from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from flyball.arm import NEUTRAL, effective_limit
from flyball.instant import DAY_US


class Mode(StrEnum):
    """Why a decision was made; only ``live`` ones train."""

    LIVE = "live"
    REPLAY = "replay"
    WHAT_IF = "what_if"


class Assignment(StrEnum):
    """How the arm came about, which decides whether the decision can be analysed."""

    DRAWN = "drawn"  # an experiment's draw with logged propensities: analysed
    POLICY = "policy"  # no experiment is running: p = 1
    HOLDOUT = "holdout"  # kept at m = 1 for good: its own stratum
    OVERRIDE = "override"  # a person's choice: p = 1, not analysed
    KILLED = "killed"  # the kill switch: p = 1, not analysed


class Source(StrEnum):
    """The rungs of the ladder that an answer can come from."""

    FRESH = "fresh"
    LAST_KNOWN_GOOD = "last_known_good"
    PLAN_DEFAULT = "plan_default"
    UNKNOWN_TENANT = "unknown_tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The arm chosen for one tenant for one period.

    ``offered`` maps each offered arm to its propensity (sums to 1); ``propensity`` is that of the
    drawn ``arm``. ``served_arm`` differs from ``arm`` only after a safety exit or a person's move
    inside the period, and then lies between ``arm`` and 100 or is the person's choice.
    ``proposed_arm`` is the policy's choice before any draw. Hazards are per period at m = 1;
    ``upgrade_probability`` and ``churn_probability`` are over 28 days under the served arm, None
    without a model. Limits are those of the plan's primary meter, None without a plan.

    ``offered`` and ``propensity`` are conditional on the stratum (holdout or not);
    ``marginal_propensity`` is the arm's probability over both, None where nothing was drawn.
    ``overdraft_requests`` is what the decision has reserved of the period's overdraft budget.
    """

    decision_id: str
    tenant_id: str
    organisation: str
    mode: Mode
    assignment: Assignment
    period_start_us: int
    period_days: int
    decided_us: int
    arm: int
    served_arm: int
    proposed_arm: int
    offered: Mapping[int, float]
    propensity: float
    reasons: tuple[str, ...]
    policy: str
    policy_version: str = ""
    experiment: str = ""
    model_version: str = ""
    feature_hash: str = ""
    base_limit: int | None = None
    contract_limit: int | None = None
    window_seconds: int | None = None
    upgrade_probability: float | None = None
    downgrade_probability: float | None = None
    churn_probability: float | None = None
    expected_dose: Mapping[int, float] | None = None
    continued: bool = False
    marginal_propensity: float | None = None
    overdraft_requests: float = 0.0

    @property
    def period_end_us(self) -> int:
        """Where the next period starts."""
        return self.period_start_us + self.period_days * DAY_US

    @property
    def effective_limit(self) -> int | None:
        """Base limit times served arm, rounded up; None without a plan.

        Where the primary meter is storage, what is stored may hold it higher:
        :meth:`effective_limit_above`.
        """
        return self.effective_limit_above(0)

    def effective_limit_above(self, floor: int) -> int | None:
        """The effective limit with ``floor`` (hundredths) as the lowest multiplier of the meter.

        See :func:`flyball.effective.storage_floors`; 0: there is none.
        """
        if self.base_limit is None:
            return None
        return effective_limit(self.base_limit, max(self.served_arm, floor))

    @property
    def enforce_friction(self) -> bool:
        """True exactly when the effective limit is below the base limit."""
        return self.enforces_friction_above(0)

    def enforces_friction_above(self, floor: int) -> bool:
        """The same with ``floor`` (hundredths) as the lowest multiplier of the primary meter."""
        limit = self.effective_limit_above(floor)
        return limit is not None and self.base_limit is not None and limit < self.base_limit

    @property
    def analysed(self) -> bool:
        """Whether the learner may use this decision."""
        return self.mode is Mode.LIVE and self.assignment in (Assignment.DRAWN, Assignment.HOLDOUT)


def decision_id(tenant_id: str, period_start_us: int, mode: Mode, salt: str = "") -> str:
    """A stable name for the decision of ``tenant_id`` in one period: ``d_`` and 16 hex digits."""
    text = "\x1f".join((tenant_id, str(period_start_us), mode.value, salt))
    return "d_" + hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def is_friction(arm: int) -> bool:
    """Whether ``arm`` tightens."""
    return arm < NEUTRAL


def is_overdraft(arm: int) -> bool:
    """Whether ``arm`` relaxes."""
    return arm > NEUTRAL
