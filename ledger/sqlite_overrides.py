"""Overrides in SQLite: made and ended by people, both kept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flyball.errors import Conflict, NotFound
from flyball.override import Override, OverrideKind
from ledger.canonical import canonical_json
from ledger.people import check_said
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart, among

_SELECT = (
    "SELECT o.seq, o.tenant_id, o.kind, o.arm, o.reason, o.author, o.created_us, o.expires_us, "
    "e.ended_us FROM override o LEFT JOIN override_end e ON e.override_seq = o.seq"
)


class SqliteOverrides(SqlitePart):
    """See :class:`ledger.store.OverrideStore`."""

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
    ) -> Override:
        """Record a person's move on a known tenant, from ``now_us`` to ``expires_us``.

        Raises
        ------
        NotFound
            No tenant has this id.
        InvalidInput
            See :class:`flyball.override.Override`.
        """
        with self.file.writing() as connection:
            return insert_override(
                connection, tenant_id, kind, author=author, reason=reason, now_us=now_us,
                expires_us=expires_us, arm=arm,
            )  # fmt: skip

    def end_override(
        self, override_id: str, *, author: str, now_us: int, reason: str = ""
    ) -> Override:
        """End an override early.

        Raises
        ------
        NotFound
            There is no such override.
        Conflict
            It ended or expired already.
        """
        author = check_said(author, field="author")
        seq = _seq_of(override_id)
        with self.file.writing() as connection:
            rows = connection.execute(f"{_SELECT} WHERE o.seq = ?", (seq,)).fetchall()
            if not rows:
                raise NotFound(
                    f"There is no override {override_id[:64]!r}.", "See flyball override list."
                )
            override = _override(rows[0])
            if override.ended_us is not None or override.expires_us <= now_us:
                raise Conflict(f"Override {override_id} has ended already.")
            connection.execute(
                "INSERT INTO override_end (override_seq, tenant_id, ended_us, author, reason) "
                "VALUES (?,?,?,?,?)",
                (seq, override.tenant_id, now_us, author, reason),
            )
            before = {"kind": override.kind.value, "arm": override.arm}
            append_audit(
                connection, now_us, author, "override.end", override.tenant_id, reason=reason,
                before=canonical_json(before),
            )  # fmt: skip
            return _override((*rows[0][:-1], now_us))

    def overrides(
        self, tenants: Collection[str] | None = None, *, active_at_us: int | None = None
    ) -> list[Override]:
        """Overrides in the order they were made; only those in force at ``active_at_us``."""
        condition, bindings = among("o.tenant_id", tenants)
        rows = self.file.rows(f"{_SELECT} WHERE {condition} ORDER BY o.seq", bindings)
        found = [_override(row) for row in rows]
        if active_at_us is None:
            return found
        return [override for override in found if override.active_at(active_at_us)]


def check_override(
    connection: Any,
    tenant_id: str,
    kind: OverrideKind,
    *,
    author: str,
    reason: str,
    now_us: int,
    expires_us: int,
    arm: int | None,
) -> Override:
    """The override that would be made next; raises what ``add_override`` raises."""
    if not connection.execute(
        "SELECT 1 FROM account WHERE tenant_id = ? LIMIT 1", (tenant_id,)
    ).fetchall():
        raise NotFound(f"There is no tenant {tenant_id[:128]!r}.", "Check it with flyball status.")
    last = connection.execute("SELECT max(seq) FROM override").fetchall()[0][0]
    return Override(
        override_id=f"o_{(last or 0) + 1}",
        tenant_id=tenant_id,
        kind=kind,
        author=author,
        reason=reason,
        created_us=now_us,
        expires_us=expires_us,
        arm=arm,
    )


def insert_override(
    connection: Any,
    tenant_id: str,
    kind: OverrideKind,
    *,
    author: str,
    reason: str,
    now_us: int,
    expires_us: int,
    arm: int | None,
) -> Override:
    """Make an override and its audit row inside the caller's transaction."""
    override = check_override(
        connection, tenant_id, kind, author=author, reason=reason, now_us=now_us,
        expires_us=expires_us, arm=arm,
    )  # fmt: skip
    connection.execute(
        "INSERT INTO override (seq, tenant_id, kind, arm, reason, author, created_us, "
        "expires_us) VALUES (?,?,?,?,?,?,?,?)",
        (
            int(override.override_id.removeprefix("o_")), tenant_id, kind.value, arm, reason,
            author, now_us, expires_us,
        ),
    )  # fmt: skip
    after = {"kind": kind.value, "arm": arm, "expiresUs": expires_us}
    append_audit(
        connection, now_us, author, "override.add", tenant_id, reason=reason,
        after=canonical_json(after),
    )  # fmt: skip
    return override


def _seq_of(override_id: str) -> int:
    digits = override_id.removeprefix("o_")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 18 else -1


def _override(row: tuple[Any, ...]) -> Override:
    return Override(
        override_id=f"o_{row[0]}",
        tenant_id=row[1],
        kind=OverrideKind(row[2]),
        arm=row[3],
        reason=row[4],
        author=row[5],
        created_us=row[6],
        expires_us=row[7],
        ended_us=row[8],
    )
