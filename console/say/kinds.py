"""The kinds of override as people choose them, and what each one needs."""

from __future__ import annotations

from console.desk import Desk
from console.standings.row import Standing
from flyball.arm import NEUTRAL, effective_limit
from flyball.override import OverrideKind

#: What a kind is called, and what it does.
KINDS: dict[OverrideKind, tuple[str, str]] = {
    OverrideKind.FORCE_NEUTRAL: ("Force ×1.00", "The plan's own limit, nothing else."),
    OverrideKind.EXEMPT: ("Exempt from friction", "×1.00 or more room, never tighter."),
    OverrideKind.FREEZE: ("Freeze", "Keep the multiplier that is in force now."),
    OverrideKind.CHOOSE: (
        "Choose a multiplier",
        "Within the contract and the guardrails; where a rule forbids it, the nearest one towards "
        "×1.00 is served. A tighter one starts with the next period.",
    ),
}


def needs_eyes(mode: str, kind: OverrideKind) -> bool:
    """Whether an override of ``kind`` waits for another person under the setting ``mode``."""
    return mode == "all" or (mode == "choose" and kind is OverrideKind.CHOOSE)


def arms_for(desk: Desk, row: Standing) -> list[int]:
    """The multipliers (hundredths) that keep this account's contract; of two alike one."""
    if row.base_limit is None:
        return [NEUTRAL]
    promised = row.contract_limit or 0
    return [
        arm
        for arm in desk.grid.distinct(row.base_limit)
        if effective_limit(row.base_limit, arm) >= promised
    ]
