"""The ledger in one SQLite file."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from flyball.errors import NotFound
from flyball.home import Home
from ledger.sqlite_accounts import SqliteAccounts
from ledger.sqlite_audit import SqliteAudit
from ledger.sqlite_changes import SqliteChanges
from ledger.sqlite_commercial import SqliteCommercial
from ledger.sqlite_connection import BUSY_TIMEOUT_MS, SqliteFile
from ledger.sqlite_decisions import SqliteDecisions
from ledger.sqlite_experiments import SqliteExperiments
from ledger.sqlite_feedback import SqliteFeedback
from ledger.sqlite_kills import SqliteKills
from ledger.sqlite_notes import SqliteNotes
from ledger.sqlite_notices import SqliteNotices
from ledger.sqlite_outbox import SqliteOutbox
from ledger.sqlite_override_requests import SqliteOverrideRequests
from ledger.sqlite_overrides import SqliteOverrides
from ledger.sqlite_plans import SqlitePlans
from ledger.sqlite_service import SqliteService
from ledger.sqlite_sessions import SqliteSessions
from ledger.sqlite_settings import SqliteSettings
from ledger.sqlite_shadow import SqliteShadow
from ledger.sqlite_tasks import SqliteTasks
from ledger.sqlite_timeline import SqliteTimeline
from ledger.sqlite_tokens import SqliteTokens
from ledger.sqlite_users import SqliteUsers
from ledger.sqlite_views import SqliteViews


class SqliteLedger(
    SqlitePlans,
    SqliteAccounts,
    SqliteCommercial,
    SqliteService,
    SqliteDecisions,
    SqliteOverrides,
    SqliteOverrideRequests,
    SqliteNotes,
    SqliteTasks,
    SqliteFeedback,
    SqliteExperiments,
    SqliteSettings,
    SqliteTimeline,
    SqliteTokens,
    SqliteUsers,
    SqliteSessions,
    SqliteViews,
    SqliteKills,
    SqliteAudit,
    SqliteNotices,
    SqliteOutbox,
    SqliteShadow,
    SqliteChanges,
):
    """Every part of :class:`ledger.store.Ledger` over one file.

    WAL with ``synchronous=FULL``: what a method returned from writing survives a power cut. Several
    threads and processes may open the same file; writers wait for each other.
    """

    def __init__(
        self, path: Path, *, read_only: bool = False, busy_timeout_ms: int = BUSY_TIMEOUT_MS
    ) -> None:
        super().__init__(SqliteFile(path, read_only=read_only, busy_timeout_ms=busy_timeout_ms))

    def close(self) -> None:
        """Close all connections."""
        self.file.close()

    def __enter__(self) -> SqliteLedger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_ledger(home: Home) -> SqliteLedger:
    """Open the home's ledger for reading and writing; makes it if there is none."""
    return SqliteLedger(home.ledger)


def read_ledger(home: Home) -> SqliteLedger:
    """Open the home's ledger for reading only; raises NotFound if there is none."""
    if not home.ledger.exists():
        raise NotFound(
            f"There is no ledger in {home.root}.",
            "Start with: flyball import DIR, or flyball demo.",
        )
    return SqliteLedger(home.ledger, read_only=True)
