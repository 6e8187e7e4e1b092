"""A refused training: attempted by the command line, and told everywhere the same way."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import commands.training_data
import training.candidate
import training.run
from commands.main import run
from flyball.economics import Economics
from flyball.home import Home
from flyball.plan import Limit, Plan
from tests.unit.training.claims import Claims
from training.contract import Contract
from training.dataset import Dataset, Floats
from training.gate import Verdict
from training.registry import CHAMPION, Registry, tag_name
from training.rehearsal import World, rehearse
from training.run import TrainingResult
from training.stakes import Stakes
from training.tracking import store_of, tracking

HASH = "ab" * 8


Said = pytest.CaptureFixture[str]


Change = Callable[[Dataset], Dataset]


OPEN = {
    "margin_errors": 100,
    "brier_errors": 100,
    "slope_low": -100,
    "slope_high": 100,
    "error_share": 100,
    "segment_error_share": 100,
    "effect_slope_low": -100,
    "effect_slope_high": 100,
    "churn_cap": 1,
}


@dataclass
class Refusal:
    """What a refused training left behind."""

    home: Home
    champion: int
    code: int
    told: dict[str, Any]
    errors: str


def plan(name: str, rank: int, price_minor: int) -> Plan:
    return Plan(
        plan=name,
        rank=rank,
        monthly_price_minor=price_minor,
        currency="USD",
        primary_meter="api.requests",
        limits={"api.requests": Limit(base=100, contract=70, per="hour")},
    )


STAKES = Stakes(
    economics=Economics(),
    plans={"basic": plan("basic", 1, 10_000), "pro": plan("pro", 2, 20_000)},
)


@pytest.fixture
def attempt(
    home: Home,
    trained: tuple[Home, TrainingResult, TrainingResult],
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Said,
) -> Callable[..., Refusal]:
    """Runs ``flyball train`` on a home that has a champion."""
    contract = Contract(
        features=dataset.features,
        feature_hash=HASH,
        factor_groups={"demand": dataset.features[:2], "people": dataset.features[2:]},
    )
    monkeypatch.setattr(training.run, "catalogue_contract", lambda: contract)
    monkeypatch.setattr("features.catalogue.feature_hash", lambda: HASH)
    monkeypatch.setattr(commands.training_data, "load_stakes", lambda *_: STAKES)
    # Pictures are tested elsewhere and take longer than all the rest.
    monkeypatch.setattr("training.run_log.draw_plots", lambda *_: [])

    def train(rows: Dataset, closed: Sequence[str] | None = None, **caps: float) -> Refusal:
        chosen = {} if closed is None else {k: v for k, v in OPEN.items() if k not in closed}
        lines = [f"{name} = {value}" for name, value in (chosen | caps).items()]
        home.settings.write_text("\n".join(["[gates]", *lines]) + "\n", encoding="utf-8")
        monkeypatch.setattr(commands.training_data, "load_dataset", lambda *_: rows)
        code = run(["--home", str(home.root), "train", "--json"])
        said = capsys.readouterr()
        return Refusal(home, trained[2].version, code, json.loads(said.out), said.err)

    return train


def assert_refused(found: Refusal, *names: str, others: bool = False) -> None:
    """Refused by ``names`` and by nothing else, everywhere that it is told.

    With ``others`` the same gate may refuse other outcomes or segments as well.
    """
    table = {gate["name"]: gate for gate in found.told["gates"]["table"]}
    failed = {name for name, gate in table.items() if gate["verdict"] == Verdict.FAILED}
    assert set(names) <= failed, found.errors
    left = failed - set(names)
    gates = {name.split(".")[0] for name in names}
    assert not {name for name in left if not others or name.split(".")[0] not in gates}
    assert found.code == 3
    assert found.told["champion"] == found.champion
    registry = Registry(store_of(found.home))
    holder, version = registry.holder(CHAMPION), registry.version(found.told["version"])
    assert holder is not None
    assert holder.version == found.champion
    assert version.gates == "failed"
    with tracking(store_of(found.home)) as client:
        metrics = client.get_run(version.run_id).data.metrics
    for name in names:
        gate = table[name]
        refusal = next(line for line in found.errors.splitlines() if f"! {name} failed" in line)
        assert f"failed: {gate['figure']:.4g}, wanted {gate['rule']}" in refusal
        assert f"({gate['threshold']:.4g}" in refusal
        if gate["setting"]:
            assert f"set by {gate['setting']}" in refusal
        assert metrics[f"gate.{tag_name(name)}"] == pytest.approx(gate["figure"])
        assert version.tags[f"gate.{tag_name(name)}"].startswith("failed: ")


def changed(dataset: Dataset, **columns: Any) -> Dataset:
    rows = dataset.rows
    for name, values in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(values))
    return replace(dataset, rows=rows)


def column(dataset: Dataset, name: str) -> Floats:
    return np.nan_to_num(np.asarray(dataset.rows[name].to_numpy(), dtype=np.float64))


@pytest.fixture
def claiming(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def claim(*, upgrade: float = 0.0, churn: float = 0.0) -> None:
        claims = Claims(upgrade, churn)
        monkeypatch.setattr(training.candidate, "DoseEstimator", lambda *_: claims)

    return claim


def world(**truth: Any) -> Dataset:
    common: dict[str, Any] = {
        "tenants": 2000,
        "weeks": 18,
        "base": (0.05, 0.01, 0.03),
        "organisation_share": 0.1,
    }
    return rehearse(World(**(common | truth)))
