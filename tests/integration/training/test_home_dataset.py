"""The training table of a real home: imported files in, labelled decisions out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from commands.main import run
from commands.training_data import load_dataset
from features.catalogue import feature_names
from flyball.home import Home
from flyball.instant import DAY_US, format_instant, parse_instant

FIRST = parse_instant("2026-01-05T00:00:00Z")
WEEK_US = 7 * DAY_US
TENANTS = ("calm", "grows", "leaves")


def at(week: float) -> str:
    return format_instant(FIRST + int(week * WEEK_US))


def write_history(directory: Path) -> None:
    """Six weeks of three tenants; decisions in weeks 3 to 5."""
    directory.mkdir()
    limit = {"api.requests": {"base": 100, "contract": 70, "per": "hour", "kind": "rate"}}
    plans = [
        {"plan": name, "rank": rank, "monthly_price_minor": 10_000 * rank, "currency": "USD",
         "primary_meter": "api.requests", "limits": limit}
        for rank, name in enumerate(("basic", "pro"), 1)
    ]  # fmt: skip
    (directory / "plans.json").write_text(json.dumps(plans))
    meters = [{"name": "api.requests", "resolution_seconds": 3600}]
    (directory / "meters.json").write_text(json.dumps(meters))
    accounts = [
        {"tenant_id": name, "plan": "basic", "created_at": at(-8), "segment": "smb",
         "parent_org": "" if name == "calm" else "acme", "mrr_minor": 10_000}
        for name in TENANTS
    ]  # fmt: skip
    _lines(directory / "accounts.ndjson", accounts)
    usage = [
        {"id": f"{name}-{day}", "tenant_id": name, "time": format_instant(FIRST + day * DAY_US),
         "meter": "api.requests", "quantity": 90 + 10 * (day % 4)}
        for name in TENANTS for day in range(42)
    ]  # fmt: skip
    _lines(directory / "usage.ndjson", usage)
    subscriptions = [
        {"tenant_id": "grows", "time": at(3.5), "kind": "upgraded", "plan": "pro"},
        {"tenant_id": "leaves", "time": at(4.9), "kind": "churned"},
    ]
    _lines(directory / "subscriptions.ndjson", subscriptions)
    decisions = [
        {"decision_id": f"{name}-{week}", "tenant_id": name, "time": at(week),
         "multiplier": 0.85, "propensity": 0.5, "offered": {"0.85": 0.5, "1": 0.5}}
        for name in TENANTS for week in (3, 4, 5)
    ]  # fmt: skip
    _lines(directory / "decisions.ndjson", decisions)


def _lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("real")
    write_history(folder / "history")
    home = Home(folder / "home")
    assert run(["--home", str(home.root), "import", str(folder / "history")]) == 0
    return home


def test_imported_decisions_become_labelled_units(home: Home) -> None:
    dataset = load_dataset(home, parse_instant(at(6)))
    labelled = {
        (tenant, (hour * 3_600_000_000 - FIRST) // WEEK_US): outcome
        for tenant, hour, outcome in zip(
            dataset.text("tenant_id"),
            dataset.start_hours().tolist(),
            dataset.codes().tolist(),
            strict=True,
        )
    }
    assert labelled == {
        ("calm", 3): 0, ("calm", 4): 0, ("calm", 5): 0,
        ("grows", 3): 1, ("grows", 4): 0, ("grows", 5): 0,
        ("leaves", 3): 0, ("leaves", 4): 3,
    }  # fmt: skip
    assert dict(dataset.dropped) == {"not_alive": 1}


def test_features_propensities_and_doses_come_from_the_home(home: Home) -> None:
    dataset = load_dataset(home, parse_instant(at(6)))
    assert dataset.features == feature_names()
    assert np.isfinite(dataset.matrix()).any(axis=0).sum() > 15
    assert np.allclose(dataset.offered(), [0.0, 0.5, 0.5, 0.0, 0.0])
    assert dataset.analysed().all()
    assert set(dataset.text("organisation")) == {"acme", "calm"}
    assert set(dataset.text("segment")) == {"smb"}
    dose = dataset.dose()
    # Demand of 90 to 120 an hour against 100: every arm is felt, tighter ones more.
    assert (dose[:, 0] > dose[:, 1]).all()
    assert (dose[:, 1] > 0.05).all()
    assert np.allclose(dose[:, 2], 0.0)
    assert (dose[:, 4] < 0.0).all()


def test_an_earlier_as_of_sees_fewer_periods_and_the_same_rows(home: Home) -> None:
    early, late = (load_dataset(home, parse_instant(at(week))) for week in (5, 6))
    assert len(early) == 6
    assert early.rows.equals(late.rows.slice(0, 6))
