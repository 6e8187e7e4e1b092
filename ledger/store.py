"""What a ledger does, noun by noun; ``tests/contract/ledger_store`` holds every store to it.

Each implementation's docstrings say more; times are microseconds and always given by the caller.
All raise :class:`flyball.errors.StorageError` when the store cannot hold or give the data; what a
writing method has returned from is durable.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from flyball.decision import Decision, Mode
from flyball.economics import Economics
from flyball.experiment import Experiment
from flyball.override import Override, OverrideKind
from flyball.plan import Plan
from flyball.tenant import Account
from ledger.changes import Changes, Cursor
from ledger.decision_change import DecisionChange, DecisionRun
from ledger.follow_up_store import FollowUpStore
from ledger.happening import Happening
from ledger.kill import KillLog
from ledger.notice import Notice, NoticeKind
from ledger.notice import Severity as NoticeSeverity
from ledger.outbox import Message, OutboxCounts
from ledger.people import AuditEntry, ExperimentRun, Role, SettingVersion, Token
from ledger.records import (
    ImportReport,
    Incident,
    Intervention,
    PlanEntry,
    Put,
    Subscription,
    Ticket,
)
from ledger.shadow import MaturedShadow, ShadowCost, ShadowDecision, ShadowRun
from ledger.users import SavedView, Sees, Session, User, UserRole

Tenants = Collection[str] | None


class PlanStore(Protocol):
    """Versioned plans."""

    def put_plan(self, entry: PlanEntry, *, now_us: int, author: str = "") -> Put: ...
    def import_plans(self, entries: Iterable[PlanEntry], *, now_us: int) -> ImportReport: ...
    def plans_as_of(self, as_of_us: int) -> dict[str, Plan]: ...


class AccountStore(Protocol):
    """Versioned accounts, and the names that gateways know them by."""

    def put_account(self, account: Account, *, author: str = "") -> Put: ...
    def import_accounts(self, accounts: Iterable[Account], *, now_us: int) -> ImportReport: ...
    def accounts_as_of(self, as_of_us: int, tenants: Tenants = None) -> dict[str, Account]: ...
    def account(self, tenant_id: str, as_of_us: int) -> Account: ...
    def account_versions(self, tenant_id: str) -> list[Account]: ...
    def resolve(self, name: str) -> str | None: ...
    def aliases(self, tenants: Tenants = None) -> dict[str, str]: ...
    def tenants_created(self) -> dict[str, int]: ...


class CommercialStore(Protocol):
    """Subscriptions and interventions."""

    def import_subscriptions(self, records: Iterable[Subscription]) -> ImportReport: ...
    def subscriptions(self, tenant_id: str) -> list[Subscription]: ...
    def import_interventions(self, records: Iterable[Intervention]) -> ImportReport: ...
    def interventions(self, tenant_id: str) -> list[Intervention]: ...


class ServiceStore(Protocol):
    """Tickets and incidents."""

    def import_tickets(self, records: Iterable[Ticket]) -> ImportReport: ...
    def open_tickets(self, as_of_us: int, tenants: Tenants = None) -> dict[str, list[Ticket]]: ...
    def tickets(self, tenant_id: str) -> list[Ticket]: ...
    def import_incidents(self, records: Iterable[Incident]) -> ImportReport: ...
    def open_incidents(self, as_of_us: int) -> list[Incident]: ...


class DecisionStore(Protocol):
    """Decisions, their changes within a period, and runs."""

    def append_decisions(self, decisions: Iterable[Decision]) -> int: ...
    def import_decisions(self, records: Iterable[Decision]) -> ImportReport: ...
    def change_decisions(self, changes: Iterable[DecisionChange]) -> None: ...
    def decision_changes(self, decision_id: str) -> list[DecisionChange]: ...
    def current_decisions(
        self,
        as_of_us: int,
        tenants: Tenants = None,
        *,
        since_us: int = 0,
        mode: Mode = Mode.LIVE,
    ) -> dict[str, Decision]: ...
    def decision(self, decision_id: str) -> Decision | None: ...
    def decisions_named(self, names: Collection[str], *, as_of_us: int) -> list[Decision]: ...
    def decision_history(
        self, tenant_id: str, *, limit: int = 52, mode: Mode = Mode.LIVE
    ) -> list[Decision]: ...
    def decision_counts(self) -> dict[str, int]: ...
    def record_run(self, run: DecisionRun) -> None: ...
    def last_run(self, mode: Mode = Mode.LIVE) -> DecisionRun | None: ...


class OverrideStore(Protocol):
    """What people decided for single tenants."""

    def add_override(
        self,
        tenant_id: str,
        kind: OverrideKind,
        *,
        author: str,
        reason: str,
        now_us: int,
        expires_us: int,
        arm: int | None = None,
    ) -> Override: ...
    def end_override(
        self, override_id: str, *, author: str, now_us: int, reason: str = ""
    ) -> Override: ...
    def overrides(
        self, tenants: Tenants = None, *, active_at_us: int | None = None
    ) -> list[Override]: ...


class ExperimentStore(Protocol):
    """Experiments, at most one running."""

    def start_experiment(
        self,
        name: str,
        *,
        epsilon: float,
        holdout_share: float,
        author: str,
        reason: str,
        now_us: int,
        secret: bytes | None = None,
    ) -> ExperimentRun: ...
    def stop_experiment(self, *, author: str, now_us: int, reason: str = "") -> ExperimentRun: ...
    def experiments(self) -> list[ExperimentRun]: ...
    def experiment_as_of(self, as_of_us: int) -> Experiment | None: ...


class SettingStore(Protocol):
    """Versioned settings by name: ``guardrails``, ``policy``, ``economics``, ``arms``."""

    def put_setting(
        self, name: str, content: object, *, author: str, now_us: int, reason: str = ""
    ) -> Put: ...
    def setting(self, name: str, as_of_us: int | None = None) -> SettingVersion | None: ...
    def setting_versions(self, name: str) -> list[SettingVersion]: ...
    def economics(self, as_of_us: int | None = None) -> Economics | None: ...


class TokenStore(Protocol):
    """Bearer tokens, kept as digests."""

    def create_token(
        self,
        name: str,
        role: Role,
        *,
        author: str,
        now_us: int,
        expires_us: int | None = None,
    ) -> tuple[str, Token]: ...
    def authenticate(self, text: str, now_us: int) -> Token | None: ...
    def tokens(self) -> list[Token]: ...
    def revoke_token(
        self, token_id: str, *, author: str, now_us: int, reason: str = ""
    ) -> Token: ...


class UserStore(Protocol):
    """People who sign in to the console."""

    def add_user(
        self,
        login: str,
        *,
        role: UserRole,
        sees: Iterable[Sees],
        author: str,
        now_us: int,
        name: str = "",
        email: str = "",
        password: str = "",
        subject: str | None = None,
    ) -> User: ...
    def users(self) -> list[User]: ...
    def user(self, user_id: str) -> User | None: ...
    def user_named(self, login: str) -> User | None: ...
    def user_of_subject(self, subject: str) -> User | None: ...
    def change_user(
        self,
        user_id: str,
        *,
        author: str,
        now_us: int,
        name: str | None = None,
        email: str | None = None,
        role: UserRole | None = None,
        sees: Iterable[Sees] | None = None,
        enabled: bool | None = None,
        subject: str | None = None,
        reason: str = "",
    ) -> User: ...
    def set_password(self, user_id: str, password: str, *, author: str, now_us: int) -> None: ...
    def rehash_password(self, user_id: str, password: str) -> None: ...


class SessionStore(Protocol):
    """Signed-in browsers, and failed tries to sign in."""

    def open_session(
        self, user_id: str, *, login: str, now_us: int, expires_us: int
    ) -> tuple[str, Session]: ...
    def session(self, text: str, *, now_us: int, idle_us: int) -> Session | None: ...
    def end_session(self, text: str) -> None: ...
    def note_failed_sign_in(
        self, *, login: str, address: str, now_us: int, keep_us: int
    ) -> None: ...
    def failed_sign_ins(self, *, login: str, address: str, since_us: int) -> tuple[int, int]: ...
    def forget_failed_sign_ins(self, login: str) -> None: ...


class ViewStore(Protocol):
    """Saved views of lists."""

    def save_view(
        self, user_id: str, name: str, query: str, *, shared: bool, now_us: int
    ) -> SavedView: ...
    def views_for(self, user_id: str) -> list[SavedView]: ...
    def delete_view(self, user_id: str, view_id: str) -> bool: ...


class AuditStore(Protocol):
    """Who did what."""

    def audit(self, *, target: str | None = None, limit: int = 100) -> list[AuditEntry]: ...
    def append_audit(
        self,
        *,
        now_us: int,
        author: str,
        action: str,
        target: str,
        reason: str = "",
        before: str = "",
        after: str = "",
    ) -> None: ...


class TimelineStore(Protocol):
    """What happened to one tenant."""

    def happenings(self, tenant_id: str, *, now_us: int, most: int = 100) -> list[Happening]: ...


class NoticeStore(Protocol):
    """What people must be told."""

    def raise_notice(
        self,
        kind: NoticeKind,
        severity: NoticeSeverity,
        *,
        subject: str,
        message: str,
        author: str,
        now_us: int,
    ) -> Notice: ...
    def end_notice(self, notice_id: int, *, author: str, reason: str, now_us: int) -> Notice: ...
    def notices(self, *, open_only: bool = True, limit: int = 100) -> list[Notice]: ...


class OutboxStore(Protocol):
    """Messages that wait for their webhook."""

    def enqueue(self, messages: Iterable[Message], *, now_us: int, most: int = ...) -> int: ...
    def due_messages(self, now_us: int, *, limit: int = 100) -> list[Message]: ...
    def mark_delivered(self, message_ids: Collection[str], *, now_us: int) -> None: ...
    def mark_failed(
        self, message_id: str, *, error: str, now_us: int, retry_us: int | None
    ) -> None: ...
    def forget_messages(self, before_us: int) -> None: ...
    def outbox_counts(self) -> OutboxCounts: ...


class ShadowStore(Protocol):
    """What a challenger would do."""

    def append_shadow(self, decisions: Iterable[ShadowDecision], run: ShadowRun) -> int: ...
    def shadow_decisions(
        self, challenger_version: str, *, now_us: int, since_us: int = 0
    ) -> list[MaturedShadow]: ...
    def shadow_cost(self, challenger_version: str, *, since_us: int = 0) -> ShadowCost: ...
    def shadow_challengers(self) -> list[str]: ...


class ChangeFeed(Protocol):
    """What was written since a cursor."""

    def changes_since(self, cursor: Cursor | None) -> Changes: ...


class Ledger(
    PlanStore,
    AccountStore,
    CommercialStore,
    ServiceStore,
    DecisionStore,
    OverrideStore,
    FollowUpStore,
    ExperimentStore,
    SettingStore,
    TokenStore,
    UserStore,
    SessionStore,
    ViewStore,
    KillLog,
    AuditStore,
    TimelineStore,
    NoticeStore,
    OutboxStore,
    ShadowStore,
    ChangeFeed,
    Protocol,
):
    """All of them."""

    def close(self) -> None:
        """Close all connections."""
