"""The change feed in SQLite: which tenants' inputs were written since a cursor."""

from __future__ import annotations

from ledger.changes import Changes, Cursor
from ledger.sqlite_base import SqlitePart

# Tables whose rows name the tenant they change.
_TENANT_TABLES = (
    "account", "subscription", "intervention", "ticket", "override", "override_end",
)  # fmt: skip
# Tables that may change what holds for everyone.
_GLOBAL_TABLES = ("plan", "incident", "experiment", "experiment_stop", "setting", "kill_event")


class SqliteChanges(SqlitePart):
    """See :class:`ledger.store.ChangeFeed`.

    A cursor is the highest row number of each table. Rows are only added, and one writer commits at
    a time, so a reader that has seen a number has seen every smaller one.
    """

    def changes_since(self, cursor: Cursor | None) -> Changes:
        """Tenants touched since ``cursor`` and the cursor after them; None starts at the end."""
        tables = (*_TENANT_TABLES, *_GLOBAL_TABLES)
        # One statement is one snapshot: a commit between two would be half seen.
        heads = self.file.rows(
            "SELECT " + ", ".join(f"(SELECT coalesce(max(seq), 0) FROM {t})" for t in tables)
        )[0]
        now = Cursor(tuple(int(head) for head in heads))
        if cursor is None or len(cursor.heads) != len(now.heads):
            return Changes(cursor=now, tenants=frozenset(), everyone=cursor is not None)
        moved = dict(zip(tables, zip(cursor.heads, now.heads, strict=True), strict=True))
        tenants: set[str] = set()
        for table in _TENANT_TABLES:
            after, upto = moved[table]
            if upto > after:
                rows = self.file.rows(
                    f"SELECT DISTINCT tenant_id FROM {table} WHERE seq > ? AND seq <= ?",
                    (after, upto),
                )
                tenants.update(row[0] for row in rows)
        everyone = any(moved[table][1] > moved[table][0] for table in _GLOBAL_TABLES)
        return Changes(cursor=now, tenants=frozenset(tenants), everyone=everyone)
