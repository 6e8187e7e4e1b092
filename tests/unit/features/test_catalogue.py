"""The catalogue names every feature once, in a group that people know."""

from __future__ import annotations

from pathlib import Path

import pytest

from features import catalogue
from features.executor import columns
from flyball.errors import NotFound

_PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "features.md"


def test_about_forty_to_sixty_features_with_everything_said() -> None:
    features = catalogue.catalogue().features
    assert 40 <= len(features) <= 60
    for each in features:
        assert each.unit, each.name
        assert each.window, each.name
        assert each.null, each.name
        assert each.version >= 1
        assert len(each.description) > 10


def test_every_feature_is_in_exactly_one_factor_group() -> None:
    groups = catalogue.factor_groups()
    assert 5 <= len(groups) <= 8
    grouped = [name for names in groups.values() for name in names]
    assert sorted(grouped) == sorted(catalogue.feature_names())
    assert set(catalogue.group_titles()) == set(groups)


def test_table_columns_are_named_once() -> None:
    assert len(set(columns())) == len(columns())
    assert columns()[:3] == ("tenant_id", "as_of_hour", "plan")


def test_context_holds_what_decisions_read() -> None:
    needed = {
        "plan", "segment", "parent_org", "organisation", "region", "base_limit", "contract_limit",
        "window_seconds", "mrr", "demand_period", "coarse",
        *(f"blocked_{arm}" for arm in (70, 85, 100, 115, 130)),
    }  # fmt: skip
    assert needed == set(catalogue.context_names())


def test_hash_is_stable_and_short() -> None:
    assert catalogue.feature_hash() == catalogue.feature_hash()
    assert len(catalogue.feature_hash()) == 16


def test_hash_changes_with_the_sql(monkeypatch: pytest.MonkeyPatch) -> None:
    before = catalogue.feature_hash()
    monkeypatch.setattr(catalogue, "feature_sql", lambda: "SELECT 1")
    assert catalogue.feature_hash.__wrapped__() != before


def test_page_describes_every_column() -> None:
    text = _PAGE.read_text("utf-8")
    for name in (*catalogue.feature_names(), *catalogue.context_names()):
        assert f"`{name}`" in text


def test_unknown_feature_says_where_to_look() -> None:
    with pytest.raises(NotFound, match="flyball features"):
        catalogue.catalogue().feature("nope")
