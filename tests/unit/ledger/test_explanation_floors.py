"""What holds limits up is kept beside the explanations, and only what changed is written."""

from __future__ import annotations

from pathlib import Path

import apsw

from ledger.explanations import Explanations


def revisions(path: Path) -> dict[str, int]:
    """Tenant to the revision of its row, as another process reads it."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return dict(connection.execute("SELECT tenant_id, revision FROM floor"))
    finally:
        connection.close()


def test_only_floors_that_changed_are_written(tmp_path: Path) -> None:
    path = tmp_path / "explanations.sqlite"
    with Explanations(path) as kept:
        kept.put_floors({}, ["a", "b"])
        assert kept.floors() == {}
        kept.put_floors({"a": 93, "b": 120}, ["a", "b", "c"])
        assert kept.floors() == {"a": 93, "b": 120}
        kept.put_floors({"a": 93, "b": 121}, ["a", "b", "c"])
        assert revisions(path) == {"a": 1, "b": 2}


def test_a_floor_goes_when_its_tenant_has_none_any_more_and_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "explanations.sqlite"
    with Explanations(path) as kept:
        kept.put_floors({"a": 93, "b": 120}, ["a", "b"])
        kept.put_floors({}, ["b"])
        assert kept.floors() == {"a": 93}
        # A row stays, so that whoever follows the revisions hears of it.
        assert revisions(path) == {"a": 1, "b": 2}
    with Explanations(path, read_only=True) as read:
        assert read.floors() == {"a": 93}
