"""The learning commands: exit codes, words, and that nothing is created by looking."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import commands.training_data
import training.run
from commands.main import run
from flyball.gate_settings import GateSettings
from flyball.home import Home
from training.contract import Contract
from training.dataset import Dataset
from training.estimators.arm_means import ArmMeanLearner
from training.estimators.dose_learner import DoseLearner
from training.estimators.estimator import Estimator
from training.registry import Registry
from training.run import TrainingResult, train
from training.tracking import store_of, tracking

pytestmark = pytest.mark.train

HASH = "ab" * 8
Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def small_catalogue(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    """The rehearsed dataset's four features stand for the catalogue."""
    contract = Contract(
        features=dataset.features,
        feature_hash=HASH,
        factor_groups={"demand": dataset.features[:2], "people": dataset.features[2:]},
    )
    monkeypatch.setattr(training.run, "catalogue_contract", lambda: contract)
    monkeypatch.setattr("features.catalogue.feature_hash", lambda: HASH)


@pytest.fixture
def rehearsed(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    """The rehearsed dataset stands for the home's own."""
    monkeypatch.setattr(commands.training_data, "load_dataset", lambda *_: dataset)


def flyball(home: Home, *arguments: str) -> int:
    return run(["--home", str(home.root), *arguments])


@pytest.mark.usefixtures("rehearsed")
def test_training_prints_its_tables_and_promotes(
    new_home: Callable[[], Home], capsys: Said
) -> None:
    home = new_home()
    assert flyball(home, "train") == 0
    said = capsys.readouterr()
    assert "Gates: passed" in said.out
    assert "log_loss_vs_base.churn" in said.out
    assert "fitting risk models" in said.err
    assert "Version 1 is champion." in said.err


@pytest.mark.usefixtures("rehearsed")
def test_a_failing_gate_exits_with_3_and_says_which_and_by_how_much(
    home: Home, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strict(*arguments: object, **options: object) -> TrainingResult:
        chosen = options | {"settings": GateSettings(latency_ratio=0.001)}
        return train(*arguments, **chosen)  # type: ignore[arg-type]

    monkeypatch.setattr(training.run, "train", strict)
    assert flyball(home, "train", "--json") == 3
    said = capsys.readouterr()
    assert "! scoring_latency failed: " in said.err
    assert "(0.001, set by gates.latency_ratio)" in said.err
    assert "version 2 stays champion" in said.err
    result = json.loads(said.out)
    assert result["champion"] == 2
    assert result["gates"]["status"] == "failed"
    assert flyball(home, "promote", "3") == 3
    assert "scoring_latency" in capsys.readouterr().err


def test_models_promote_rollback_and_publish_tell_what_they_did(home: Home, capsys: Said) -> None:
    assert flyball(home, "models", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["version"], each["aliases"]) for each in listed] == [
        (2, ["champion"]),
        (1, ["previous"]),
    ]
    assert flyball(home, "publish") == 0
    assert "version 2 " in capsys.readouterr().out
    assert flyball(home, "rollback", "--reason", "upgrades fell", "--author", "ada") == 0
    assert "champion again" in capsys.readouterr().out
    assert flyball(home, "publish") == 0
    assert "version 1 " in capsys.readouterr().out
    assert flyball(home, "promote", "--author", "ada") == 0
    assert "Version 2 " in capsys.readouterr().out
    assert flyball(home, "models") == 0
    assert "champion" in capsys.readouterr().out


def test_the_card_of_a_version_is_printed(home: Home, capsys: Said) -> None:
    assert flyball(home, "models", "card") == 0
    champion = capsys.readouterr().out
    assert flyball(home, "models", "card", "1") == 0
    first = capsys.readouterr().out
    assert champion.startswith("# Flyball bundle ")
    assert first.startswith("# Flyball bundle ")
    assert champion != first
    assert flyball(home, "models", "card", "9") == 2
    assert "no version 9" in capsys.readouterr().err


@pytest.mark.usefixtures("rehearsed")
def test_a_comparison_of_estimators_is_kept_with_its_run(
    home: Home, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two(seed: int) -> tuple[Estimator, ...]:
        return (DoseLearner(seed=seed, redraws=19), ArmMeanLearner(seed=seed, redraws=19))

    monkeypatch.setattr("training.estimators.comparison.default_estimators", two)
    assert flyball(home, "train", "--compare", "--json", "--no-promote") == 0
    told = json.loads(capsys.readouterr().out)
    version = Registry(store_of(home)).version(told["version"])
    with tracking(store_of(home)) as client:
        run_of_it = client.get_run(version.run_id)
        papers = {item.path for item in client.list_artifacts(version.run_id, "report")}
    named = {row["estimator"] for row in told["comparison"]}
    assert len(named) == 2
    assert set(run_of_it.data.tags["compared"].split(", ")) == named
    assert {"report/comparison.md", "report/comparison.json"} <= papers
    for row in told["comparison"]:
        key = f"compare.{row['estimator'].replace(' ', '_')}.churn.gain"
        assert run_of_it.data.metrics[key] == pytest.approx(row["gain"]["churn"]["mean"])


def test_promotions_and_rollbacks_are_audited(home: Home) -> None:
    from ledger.sqlite_ledger import read_ledger

    flyball(home, "rollback", "--reason", "why not", "--author", "ada")
    flyball(home, "promote", "2", "--author", "bob")
    with read_ledger(home) as ledger:
        acts = {(entry.author, entry.action, entry.reason) for entry in ledger.audit()}
    assert {("ada", "model.rollback", "why not"), ("bob", "model.promote", "")} <= acts


def test_commands_on_an_empty_home_say_what_to_do_next(tmp_path: Path, capsys: Said) -> None:
    home = Home(tmp_path / "none")
    assert flyball(home, "models") == 0
    assert "flyball train" in capsys.readouterr().out
    assert flyball(home, "promote") == 2
    assert flyball(home, "rollback") == 2
    assert flyball(home, "publish") == 0
    assert "no champion" in capsys.readouterr().out
    assert not home.root.exists()


def test_training_a_home_without_data_is_a_clear_error(tmp_path: Path, capsys: Said) -> None:
    assert flyball(Home(tmp_path / "none"), "train") == 2
    assert "flyball import" in capsys.readouterr().err


@pytest.mark.parametrize("when", ["2026-06-01", "yesterday", "2026-06-01T00:00:00"])
def test_a_time_without_a_zone_is_refused(when: str, tmp_path: Path, capsys: Said) -> None:
    assert flyball(Home(tmp_path), "train", "--as-of", when) == 2
    assert "RFC 3339" in capsys.readouterr().err
