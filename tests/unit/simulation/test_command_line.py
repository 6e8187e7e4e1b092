from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from simulation.calendar_week import instant
from simulation.command_line import main

SMALL = ["--tenants", "40", "--weeks", "5", "--quiet"]
FAKE = """
import json, sys
args = sys.argv[1:]
if "decide" in args:
    out = args[args.index("--out") + 1]
    open(out, "w").write(json.dumps({"tenantId": "ent_10000", "dynamicMultiplier": 0.85}))
"""


def test_a_history_is_written_with_its_truth_outside(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path / "in"), *SMALL]) == 0
    assert (tmp_path / "in" / "accounts.ndjson").is_file()
    truth = json.loads((tmp_path / "in.world" / "truth.json").read_text())
    assert truth["mean_effect_per_week"]["100"] == {
        "upgraded": 0.0,
        "downgraded": 0.0,
        "churned": 0.0,
    }


def test_the_world_lives_on_by_single_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--out", str(tmp_path / "in"), *SMALL])
    world = str(tmp_path / "in.world")
    for number in range(2):
        assert main(["step", "--world", world, "--out", str(tmp_path / f"next{number}")]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["start"] == "2026-06-01"
    assert second["start"] == "2026-06-08"


def test_the_world_lives_on_with_a_product(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--out", str(tmp_path / "in"), *SMALL])
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    asked = [
        *("live", "--world", str(tmp_path / "in.world"), "--out", str(tmp_path / "life")),
        *("--weeks", "2", "--home", str(tmp_path / "home")),
        *("--command", f"{sys.executable} {script}"),
    ]
    assert main(asked) == 0
    weeks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [week["friction"] for week in weeks] == [1, 1]
    assert (tmp_path / "life" / "week-2026-06-08").is_dir()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--end", "2026-06-01T00:00:00"], "has no zone"),
        (["--end", "soon"], "isoformat"),
        (["--tenants", "0"], "at least 1"),
        (["--family", "magic"], "invalid choice"),
    ],
)
def test_bad_arguments_are_refused_with_a_reason(
    tmp_path: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--out", str(tmp_path / "in"), *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_the_truth_may_not_lie_in_the_import_directory(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path / "in"), "--world", str(tmp_path / "in" / "truth"), *SMALL])


def test_a_step_without_a_world_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["step", "--world", str(tmp_path), "--out", str(tmp_path / "o")]) == 1
    assert "holds no world" in capsys.readouterr().err


def test_an_instant_is_written_in_utc() -> None:
    assert instant(0) == "1970-01-01T00:00:00Z"
