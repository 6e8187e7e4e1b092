"""What a ledger keeps of what people do in the console, noun by noun (see :mod:`ledger.store`)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from flyball.override import OverrideKind
from ledger.follow_up import Feedback, Note, Subject, Task, TaskState, Verdict
from ledger.override_request import OverrideRequest
from ledger.records import Intervention

Tenants = Collection[str] | None


class OverrideRequestStore(Protocol):
    """Overrides that wait for a second pair of eyes."""

    def request_override(
        self,
        tenant_id: str,
        kind: OverrideKind,
        *,
        author: str,
        reason: str,
        now_us: int,
        expires_us: int,
        arm: int | None = None,
    ) -> OverrideRequest: ...
    def override_requests(
        self, tenants: Tenants = None, *, waiting_at_us: int | None = None
    ) -> list[OverrideRequest]: ...
    def decide_request(
        self, request_id: str, *, approved: bool, author: str, now_us: int, reason: str = ""
    ) -> OverrideRequest: ...


class NoteStore(Protocol):
    """Notes, and what people did for a tenant."""

    def add_note(self, tenant_id: str, text: str, *, author: str, now_us: int) -> Note: ...
    def withdraw_note(
        self, tenant_id: str, note_id: int, *, author: str, now_us: int, others: bool = False
    ) -> None: ...
    def notes(self, tenant_id: str, *, most: int = 20) -> list[Note]: ...
    def log_intervention(self, record: Intervention, *, author: str) -> bool: ...


class TaskStore(Protocol):
    """Tasks."""

    def add_tasks(
        self,
        tenants: Collection[str],
        title: str,
        *,
        due_us: int | None,
        assignee: str,
        author: str,
        now_us: int,
    ) -> int: ...
    def change_task(
        self,
        tenant_id: str,
        task_id: int,
        *,
        author: str,
        now_us: int,
        state: TaskState | None = None,
        assignee: str | None = None,
        comment: str = "",
    ) -> Task: ...
    def rewrite_task(
        self,
        tenant_id: str,
        task_id: int,
        *,
        title: str,
        due_us: int | None,
        assignee: str,
        author: str,
        now_us: int,
    ) -> Task: ...
    def task(self, tenant_id: str, task_id: int) -> Task: ...
    def tasks(self, tenant_id: str, *, most: int = 50) -> list[Task]: ...


class FeedbackStore(Protocol):
    """What people say about scores."""

    def add_feedback(
        self,
        tenant_id: str,
        subject: Subject,
        verdict: Verdict,
        *,
        reason: str,
        author: str,
        now_us: int,
        decision_id: str,
        model_version: str,
        probability: float | None,
        served_arm: int | None,
    ) -> Feedback: ...
    def feedback(self, *, since_us: int = 0) -> list[Feedback]: ...


class FollowUpStore(OverrideRequestStore, NoteStore, TaskStore, FeedbackStore, Protocol):
    """All of them."""
