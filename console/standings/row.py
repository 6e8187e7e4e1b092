"""One tenant as the list shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from console.design.display import numbers
from console.design.words import reason_codes, set_by
from flyball.arm import NEUTRAL, effective_limit


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of ``standing`` and of ``usage``, in the order of their columns.

    Times are µs, annual revenue minor units of the reporting currency, chances 0..1 over 28 days
    under the served arm; ``*_before`` are those of the period before. ``floor`` is the lowest
    multiplier of the limit in hundredths, whatever was decided (0: none). None where nothing is
    known.
    """

    tenant_id: str
    name: str
    owner: str
    plan: str
    plan_rank: int | None
    segment: str
    region: str
    parent_org: str
    seats: int | None
    mrr_minor: int | None
    currency: str
    arr_minor: float | None
    created_us: int
    renewal_us: int | None
    left_us: int | None
    base_limit: int | None
    contract_limit: int | None
    per: str | None
    meter: str | None
    floor: int
    search: str
    decision_id: str | None
    decided_us: int | None
    period_start_us: int | None
    arm: int | None
    assigned_arm: int | None
    assignment: str | None
    reasons: str | None
    policy: str | None
    model_version: str | None
    arm_before: int | None
    moved_us: int | None
    churn: float | None
    upgrade: float | None
    scored_us: int | None
    churn_factor: str
    upgrade_factor: str
    churn_before: float | None
    upgrade_before: float | None
    plan_change: str | None
    plan_change_us: int | None
    override_kind: str | None
    override_author: str | None
    override_expires_us: int | None
    touch: str | None
    touch_us: int | None
    touch_author: str | None
    open_tasks: int
    task_due_us: int | None
    task_title: str | None
    urgent_tickets: int
    attention: float
    usage_us: int | None
    usage_weeks: str | None
    usage_trend: float | None

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.tenant_id

    @property
    def codes(self) -> list[str]:
        """Reason codes, the one that says why first."""
        return reason_codes(self.reasons)

    @property
    def set_by(self) -> str:
        """Who or what has set the multiplier."""
        return set_by(self.assignment, self.codes)

    @property
    def weeks(self) -> list[float]:
        """Demand by week, oldest first; empty where nothing was used."""
        return numbers(self.usage_weeks)

    @property
    def effective_limit(self) -> int | None:
        """What the gateway enforces now, in units of ``meter`` per ``per``."""
        return self.limit_under(NEUTRAL if self.arm is None else self.arm)

    def limit_under(self, arm: int) -> int | None:
        """What the gateway would enforce under ``arm`` (hundredths).

        ``floor`` holds a storage limit up: it never falls below what is stored.
        """
        return (
            None
            if self.base_limit is None
            else effective_limit(self.base_limit, max(arm, self.floor))
        )

    @property
    def churn_change(self) -> float | None:
        """Difference to the period before, as a share."""
        known = self.churn is not None and self.churn_before is not None
        return self.churn - self.churn_before if known else None  # type: ignore[operator]

    @property
    def upgrade_change(self) -> float | None:
        """Difference to the period before, as a share."""
        known = self.upgrade is not None and self.upgrade_before is not None
        return self.upgrade - self.upgrade_before if known else None  # type: ignore[operator]


def standing_of(row: tuple[Any, ...]) -> Standing:
    """A row selected with :data:`console.standings.search.SELECTED`."""
    return Standing(*row)
