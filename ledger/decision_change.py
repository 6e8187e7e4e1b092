"""What happens around decisions: moves within a period, and the runs that make decisions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from flyball.decision import Mode


class ChangeCause(StrEnum):
    """Why the served arm moved while its period was running."""

    SAFETY = "safety"  # a no-friction rule, a budget or a limit that changed
    OVERRIDE = "override"  # a person's override began, ended or expired
    KILL = "kill"  # the kill switch went on or off


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionChange:
    """One move of a running decision's served arm, or the end of what held it where it stays.

    The assigned arm stays logged.
    """

    decision_id: str
    tenant_id: str
    at_us: int
    served_arm: int
    cause: ChangeCause
    author: str = "flyball"
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRun:
    """One finished pass over ``tenants`` tenants, taking ``duration_ms`` milliseconds."""

    as_of_us: int
    finished_us: int
    mode: Mode
    tenants: int
    duration_ms: float
    policy: str
    bundle_version: str = ""
