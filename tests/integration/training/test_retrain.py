"""``flyball retrain``: the whole cycle, once, and nothing when nothing is new."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable

import pytest

import commands.training_data
import training.run
from commands.main import run
from flyball.home import Home
from ledger.sqlite_ledger import open_ledger
from training.contract import Contract
from training.dataset import Dataset
from training.registry import CHAMPION, Registry
from training.tracking import store_of, tracking

pytestmark = pytest.mark.train

HASH = "ab" * 8
Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def small_catalogue(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    contract = Contract(
        features=dataset.features, feature_hash=HASH, factor_groups={"all": dataset.features}
    )
    monkeypatch.setattr(training.run, "catalogue_contract", lambda: contract)
    monkeypatch.setattr("features.catalogue.feature_hash", lambda: HASH)


def _retrain(home: Home, *options: str) -> int:
    return run(["--home", str(home.root), "retrain", "--author", "cron", *options])


def test_a_cycle_trains_once_then_waits_for_news_and_tells_drift(
    new_home: Callable[[], Home],
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Said,
) -> None:
    home, hours = new_home(), dataset.start_hours()
    known = [dataset.take(hours < hours.max() - 2 * 168)]
    monkeypatch.setattr(commands.training_data, "load_dataset", lambda *_: known[-1])
    with open_ledger(home):
        pass
    assert _retrain(home) == 0
    assert "there is no champion to compare with" in capsys.readouterr().out
    assert _retrain(home) == 0
    assert "Nothing is new since version 1" in capsys.readouterr().err
    known.append(dataset)
    assert _retrain(home, "--json") in {0, 3}
    told = json.loads(capsys.readouterr().out)
    assert told["version"] == 2
    assert told["drift"]["recentRows"] > 0
    with tracking(store_of(home)) as client:
        names = [r.info.run_name for r in client.search_runs(["1"], order_by=["start_time DESC"])]
    assert any(name.startswith("drift-") for name in names)
    with open_ledger(home) as ledger:
        acts = ledger.audit()
    assert acts[-1].action == "model.promote"
    assert acts[-1].author == "cron"
    assert Registry(store_of(home)).holder(CHAMPION) is not None


def test_two_at_once_are_refused(new_home: Callable[[], Home], capsys: Said) -> None:
    home = new_home()
    (home.root / "run").mkdir()
    with (home.root / "run" / "retrain.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert _retrain(home) == 4
    assert "Another `flyball retrain`" in capsys.readouterr().err
