"""The wheel built from the source distribution works away from the source tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel, built from the source distribution as a user's pip would."""
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    target = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def run(installed: Path, tmp_path: Path, *argv: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    environment["FLYBALL_HOME"] = str(tmp_path / "home")
    done = subprocess.run(
        [sys.executable, *argv],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_what_runs_and_nothing_else(installed: Path) -> None:
    tops = {path.name for path in installed.iterdir()}
    assert {"flyball", "features", "commands"} <= tops
    assert not tops & {"tests", "benchmarks", "docs"}
    assert list((installed / "features" / "sql").glob("*.sql"))
    assert not list(installed.rglob("*.onnx"))


def test_smoke_from_simulation_to_a_decision(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "-c", "import flyball; print(flyball.__file__)")
    assert Path(where.strip()).is_relative_to(installed)
    assert "import" in run(installed, tmp_path, "-m", "commands", "--help")
    assert len(json.loads(run(installed, tmp_path, "-m", "commands", "features", "--json"))) > 0
    simulated = ["--out", "data", "--tenants", "30", "--weeks", "4", "--seed", "5"]
    run(installed, tmp_path, "-m", "simulation", *simulated)
    run(installed, tmp_path, "-m", "commands", "import", "data")
    status = json.loads(run(installed, tmp_path, "-m", "commands", "status", "--json"))
    assert status
    out = run(
        installed, tmp_path, "-m", "commands", "decide", "--as-of", newest(tmp_path),
        "--mode", "what_if", "--out", "decisions.ndjson",
    )  # fmt: skip
    assert out is not None
    lines = (tmp_path / "decisions.ndjson").read_text().splitlines()
    assert len(lines) > 10
    assert all(json.loads(line)["multiplier"] == 1.0 for line in lines)


def newest(tmp_path: Path) -> str:
    import duckdb

    pattern = str(tmp_path / "data" / "**" / "usage*.parquet")
    with duckdb.connect() as connection:
        row = connection.execute(
            f"SELECT strftime(max(time)::TIMESTAMPTZ, '%Y-%m-%dT%H:00:00Z') "
            f"FROM read_parquet('{pattern}')"
        ).fetchone()
    assert row is not None
    return str(row[0])
