"""What people write down about an account: notes, tasks, and feedback on a score."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What somebody wants to be known about a tenant."""

    note_id: int
    tenant_id: str
    at_us: int
    author: str
    text: str


class TaskState(StrEnum):
    """Whether a task still waits."""

    OPEN = "open"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What somebody (``assignee``, a login) should do, and by when (None: no date)."""

    task_id: int
    tenant_id: str
    title: str
    due_us: int | None
    assignee: str
    author: str
    created_us: int
    state: TaskState = TaskState.OPEN
    changed_us: int = 0


class Subject(StrEnum):
    """Which number or choice feedback is about."""

    CHURN = "churn"
    UPGRADE = "upgrade"
    MULTIPLIER = "multiplier"


class Verdict(StrEnum):
    """What is wrong with it, or that it is right."""

    TOO_HIGH = "too_high"
    TOO_LOW = "too_low"
    WRONG_REASON = "wrong_reason"
    RIGHT = "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """A person's judgement of one decision's score: a label-quality record.

    ``probability`` is the chance that was shown (None for the multiplier, or without a model),
    ``served_arm`` the multiplier in hundredths, ``model_version`` who said so.
    """

    feedback_id: int
    tenant_id: str
    decision_id: str
    subject: Subject
    verdict: Verdict
    reason: str
    author: str
    at_us: int
    model_version: str
    probability: float | None
    served_arm: int | None
