"""Overrides need an author, a reason and an end."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.errors import InvalidInput
from flyball.instant import DAY_US, parse_instant
from flyball.override import Override, OverrideKind, override_in_force

NOW = parse_instant("2026-03-02T00:00:00Z")


def override(**changes: Any) -> Override:
    fields: dict[str, Any] = {
        "override_id": "o1", "tenant_id": "t1", "kind": OverrideKind.EXEMPT, "author": "kim",
        "reason": "migration week", "created_us": NOW, "expires_us": NOW + 7 * DAY_US,
    }  # fmt: skip
    return Override(**{**fields, **changes})


def test_an_override_is_in_force_from_its_beginning_until_its_end() -> None:
    found = override()
    assert found.active_at(NOW)
    assert found.active_at(NOW + 7 * DAY_US - 1)
    assert not found.active_at(NOW - 1)
    assert not found.active_at(NOW + 7 * DAY_US)
    ended = override(ended_us=NOW + DAY_US)
    assert ended.active_at(NOW + DAY_US - 1)
    assert not ended.active_at(NOW + DAY_US)


def test_of_several_the_last_one_made_counts() -> None:
    first, second = override(), override(override_id="o2", created_us=NOW + 1)
    past = override(override_id="o3", created_us=NOW + 2, ended_us=NOW + 3)
    assert override_in_force([second, first, past], NOW + 5) is second
    assert override_in_force([first, override(override_id="o9")], NOW).override_id == "o9"  # type: ignore[union-attr]
    assert override_in_force([past], NOW + 5) is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"author": " "}, "author"),
        ({"reason": ""}, "reason"),
        ({"reason": "hidden\u202etext"}, "reason"),
        ({"tenant_id": "../etc"}, "tenant_id"),
        ({"expires_us": NOW}, "expires"),
        ({"expires_us": NOW + 367 * DAY_US}, "expires"),
        ({"expires_us": 10**18}, "expires"),
        ({"arm": 85}, "arm"),
        ({"kind": OverrideKind.CHOOSE}, "arm"),
        ({"kind": OverrideKind.CHOOSE, "arm": 0}, "arm"),
    ],
)
def test_an_incomplete_override_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        override(**changes)
    assert refused.value.field == field
