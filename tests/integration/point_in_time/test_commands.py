"""`flyball features` and `flyball dataset` as a data scientist meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest

from commands.main import run
from features.catalogue import feature_hash, feature_names
from features.checks import differing
from features.executor import columns


@pytest.fixture
def home(kit: Any) -> Any:
    filled = kit.home()
    kit.feed(filled, [kit.random_events(8)])
    return filled


def test_features_are_listed_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["features"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in feature_names())
    assert feature_hash() in printed


def test_features_are_listed_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["features", "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in described["features"]] == list(feature_names())


def test_one_feature_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["features", "tenure_days"]) == 0
    assert "1 features" in capsys.readouterr().out
    assert run(["features", "tenure"]) == 2
    assert "flyball features" in capsys.readouterr().err


def test_dataset_writes_what_decisions_see(kit: Any, home: Any, tmp_path: Path) -> None:
    out = tmp_path / "features.parquet"
    as_of = "2026-03-05T10:59:59Z"
    assert run(["--home", str(home.root), "dataset", "--as-of", as_of, "--out", str(out)]) == 0
    table = pyarrow.parquet.read_table(out)
    assert differing(table, kit.features(home)) == []
    assert list(tmp_path.glob(".*")) == []


def test_dataset_writes_some_tenants_as_csv(home: Any, tmp_path: Path) -> None:
    out = tmp_path / "features.csv"
    arguments = ["dataset", "--as-of", "2026-03-05T10:00:00Z", "--tenants", "day,hour"]
    assert run(["--home", str(home.root), *arguments, "--out", str(out)]) == 0
    table = pyarrow.csv.read_csv(out)
    assert table["tenant_id"].to_pylist() == ["day", "hour"]
    assert tuple(table.schema.names) == columns()


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["--out", "table.xlsx"], ".parquet", 2),
        (["--tenants", "nobody", "--out", "x.csv"], "nobody", 2),
        (["--as-of", "yesterday", "--out", "x.csv"], "RFC 3339", 2),
        (["--out", "no/such/folder/x.csv"], "cannot be written", 4),
    ],
)
def test_bad_input_says_what_to_do(
    home: Any,
    arguments: list[str],
    message: str,
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["--home", str(home.root), "dataset", *arguments]) == code
    assert message in capsys.readouterr().err
    assert list(tmp_path.glob("*.csv")) == []


def test_an_empty_home_says_how_to_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert run(["--home", str(home), "dataset", "--out", str(tmp_path / "x.csv")]) == 2
    assert "flyball import" in capsys.readouterr().err
