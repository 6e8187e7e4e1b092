"""What cannot wait about an account; the weights are in ``console/standings/tables.py``."""

from __future__ import annotations

from dataclasses import dataclass

from console.design.display import ago, points
from console.standings.row import Standing
from console.standings.tables import MOVED, NEAR_RENEWAL_US


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing that cannot wait, in a few words; ``style`` is ``warn`` or ``alarm``."""

    text: str
    style: str


def flags(row: Standing, now_us: int) -> list[Flag]:
    """What raises the account's place in the list."""
    found = []
    if row.urgent_tickets:
        found.append(Flag("urgent ticket", "alarm"))
    if row.task_due_us is not None and row.task_due_us < now_us:
        found.append(Flag("task overdue", "alarm"))
    if row.churn_change is not None and row.churn_change >= MOVED:
        found.append(Flag(f"risk {points(row.churn_change)} pts", "alarm"))
    if row.renewal_us is not None and now_us <= row.renewal_us <= now_us + NEAR_RENEWAL_US:
        found.append(Flag(f"renews {ago(row.renewal_us, now_us)}", "warn"))
    return found


def changes(row: Standing, now_us: int) -> list[str]:
    """What is different from a week ago, most telling first."""
    since_us = now_us - 7 * 86_400_000_000
    found = []
    if row.plan_change and (row.plan_change_us or 0) >= since_us:
        found.append(f"{row.plan_change} to {row.plan}")
    if row.arm is not None and row.arm_before is not None and row.arm != row.arm_before:
        found.append(f"×{row.arm_before / 100:.2f} → ×{row.arm / 100:.2f}")
    if row.churn_change is not None and abs(row.churn_change) >= 0.005:
        found.append(f"risk {points(row.churn_change)} pts")
    if row.upgrade_change is not None and abs(row.upgrade_change) >= 0.01:
        found.append(f"upgrade {points(row.upgrade_change)} pts")
    return found
