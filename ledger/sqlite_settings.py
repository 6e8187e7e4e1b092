"""Versioned settings in SQLite: guardrails, policy, economics, arm grid, meters."""

from __future__ import annotations

from typing import Any

import msgspec

from flyball.economics import Economics, economics_from
from flyball.identity import check_word
from ledger.canonical import canonical_json
from ledger.people import SettingVersion, check_said
from ledger.records import Put
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart

_SELECT = "SELECT name, version, content, known_us, author, reason FROM setting"


class SqliteSettings(SqlitePart):
    """See :class:`ledger.store.SettingStore`."""

    def put_setting(
        self, name: str, content: object, *, author: str, now_us: int, reason: str = ""
    ) -> Put:
        """Add a version of setting ``name`` unless the latest says the same.

        ``content`` is anything that JSON can hold.
        """
        check_word(name, field="setting")
        author, after = check_said(author, field="author"), canonical_json(content)
        with self.file.writing() as connection:
            rows = connection.execute(
                f"{_SELECT} WHERE name = ? ORDER BY version DESC LIMIT 1", (name,)
            ).fetchall()
            before = rows[0][2] if rows else ""
            if before == after:
                return Put(version=rows[0][1], created=False)
            version = rows[0][1] + 1 if rows else 1
            connection.execute(
                "INSERT INTO setting (name, version, content, known_us, author, reason) "
                "VALUES (?,?,?,?,?,?)",
                (name, version, after, now_us, author, reason),
            )
            append_audit(
                connection, now_us, author, "setting.put", name, reason=reason, before=before,
                after=after,
            )  # fmt: skip
        return Put(version=version, created=True)

    def setting(self, name: str, as_of_us: int | None = None) -> SettingVersion | None:
        """The version known at ``as_of_us`` (None: the latest); None if never set.

        Times before the first version see the first: settings have no history before they exist.
        """
        versions = self.setting_versions(name)
        known = [v for v in versions if as_of_us is None or v.known_us <= as_of_us]
        return (known[-1] if known else versions[0]) if versions else None

    def setting_versions(self, name: str) -> list[SettingVersion]:
        """Every version of one setting, oldest first."""
        rows = self.file.rows(f"{_SELECT} WHERE name = ? ORDER BY version", (name,))
        return [_setting(row) for row in rows]

    def economics(self, as_of_us: int | None = None) -> Economics | None:
        """The setting ``economics`` as money rules; None if never set."""
        found = self.setting("economics", as_of_us)
        return None if found is None else economics_from(found.content)


def _setting(row: tuple[Any, ...]) -> SettingVersion:
    return SettingVersion(
        name=row[0],
        version=row[1],
        content=msgspec.json.decode(row[2]),
        known_us=row[3],
        author=row[4],
        reason=row[5],
    )
