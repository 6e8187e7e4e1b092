"""Saved views of the console's lists in SQLite."""

from __future__ import annotations

import secrets
from typing import Any

from flyball.errors import Conflict, InvalidInput
from flyball.identity import check_label
from ledger.sqlite_base import SqlitePart
from ledger.users import SavedView

_SELECT = "SELECT view_id, user_id, name, query, shared, created_us FROM saved_view"

#: Longest query string and most views that a person may keep.
MAX_QUERY_CHARS = 2_000
MAX_VIEWS = 100


class SqliteViews(SqlitePart):
    """See :class:`ledger.store.ViewStore`."""

    def save_view(
        self, user_id: str, name: str, query: str, *, shared: bool, now_us: int
    ) -> SavedView:
        """Keep a view under a name of its user's; one of that name is replaced."""
        name = check_label(name, field="name").strip()
        if not name or len(name) > 60:
            raise InvalidInput("A view needs a name of 1-60 characters.", "Type one.", field="name")
        if len(query) > MAX_QUERY_CHARS:
            raise InvalidInput("The view is too long.", "Use fewer filters.", field="query")
        view = SavedView(
            view_id="v_" + secrets.token_hex(6), user_id=user_id, name=name, query=query,
            shared=shared, created_us=now_us,
        )  # fmt: skip
        with self.file.writing() as connection:
            count = connection.execute(
                "SELECT count(*) FROM saved_view WHERE user_id = ? AND name <> ?", (user_id, name)
            ).fetchall()[0][0]
            if count >= MAX_VIEWS:
                raise Conflict(f"There are {MAX_VIEWS} views already.", "Delete one first.")
            connection.execute(
                "DELETE FROM saved_view WHERE user_id = ? AND name = ?", (user_id, name)
            )
            connection.execute(
                "INSERT INTO saved_view (view_id, user_id, name, query, shared, created_us) "
                "VALUES (?,?,?,?,?,?)",
                (view.view_id, user_id, name, query, int(shared), now_us),
            )
        return view

    def views_for(self, user_id: str) -> list[SavedView]:
        """A user's own views, then the ones that others share, by name."""
        rows = self.file.rows(
            f"{_SELECT} WHERE user_id = ?1 OR shared ORDER BY user_id <> ?1, name, view_id",
            (user_id,),
        )
        return [_view(row) for row in rows]

    def delete_view(self, user_id: str, view_id: str) -> bool:
        """Drop a user's own view; whether there was one."""
        with self.file.writing() as connection:
            connection.execute(
                "DELETE FROM saved_view WHERE user_id = ? AND view_id = ?", (user_id, view_id)
            )
            return bool(connection.changes())


def _view(row: tuple[Any, ...]) -> SavedView:
    return SavedView(
        view_id=row[0], user_id=row[1], name=row[2], query=row[3], shared=bool(row[4]),
        created_us=row[5],
    )  # fmt: skip
