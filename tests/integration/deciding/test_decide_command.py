"""``flyball decide``: as of a time, by mode, reproducible, and clear about bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from commands.main import run
from flyball.decision import Mode
from flyball.home import Home
from ledger.sqlite_ledger import SqliteLedger

AS_OF = "2026-01-05T00:00:00Z"


def decide(home: Home, *options: str) -> int:
    return run(["--home", str(home.root), "decide", *options])


def rows(path: Path) -> dict[str, dict[str, object]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {line["tenant_id"]: line for line in lines}


def test_a_fresh_install_stays_static(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "d.ndjson"
    assert decide(home, "--as-of", AS_OF, "--mode", "live", "--out", str(out)) == 0
    found = rows(out)
    assert len(found) == 12
    assert {row["policy"] for row in found.values()} == {"static"}
    assert {row["multiplier"] for row in found.values()} == {1.0}
    assert {row["effectiveLimit"] for row in found.values()} == {1_000}


def test_with_champion_and_experiment_the_configured_policy_decides(
    trained: Home, tmp_path: Path
) -> None:
    out = tmp_path / "d.ndjson"
    assert decide(trained, "--as-of", AS_OF, "--mode", "live", "--out", str(out)) == 0
    found = rows(out)
    assert {row["policy"] for row in found.values()} == {"value"}
    assert {row["model_version"] for row in found.values()} == {"b1"}
    assert any(row["enforceFriction"] for row in found.values())
    for row in found.values():
        offered = json.loads(str(row["offered"]))
        assert abs(sum(offered.values()) - 1.0) < 1e-12
        assert offered[f"{row['multiplier']:.2f}"] == row["propensity"]
        assert 0.0 <= float(str(row["upsellProbability"])) <= 1.0


def test_live_twice_gives_the_same_bytes_and_logs_once(trained: Home, tmp_path: Path) -> None:
    one, two = tmp_path / "1.ndjson", tmp_path / "2.ndjson"
    for out in (one, two):
        assert decide(trained, "--as-of", AS_OF, "--mode", "live", "--out", str(out)) == 0
    assert one.read_bytes() == two.read_bytes()
    with SqliteLedger(trained.ledger) as ledger:
        assert ledger.decision_counts() == {"live": 12}


def test_live_later_in_the_period_keeps_every_arm(trained: Home, tmp_path: Path) -> None:
    one, two = tmp_path / "1.ndjson", tmp_path / "2.ndjson"
    decide(trained, "--as-of", AS_OF, "--mode", "live", "--out", str(one))
    decide(trained, "--as-of", "2026-01-07T00:00:00Z", "--mode", "live", "--out", str(two))
    before, after = rows(one), rows(two)
    for tenant, row in before.items():
        assert after[tenant]["multiplier"] == row["multiplier"]
        assert after[tenant]["decision_id"] == row["decision_id"]


@pytest.mark.parametrize("mode", ["what_if", "replay"])
def test_looking_back_changes_nothing_that_is_live(
    mode: str, trained: Home, tmp_path: Path
) -> None:
    first = tmp_path / "live.ndjson"
    decide(trained, "--as-of", AS_OF, "--mode", "live", "--out", str(first))
    out = tmp_path / "x.ndjson"
    options = ("--policy", "constant", "--policy-arm", "0.85", "--mode", mode)
    assert decide(trained, "--as-of", AS_OF, *options, "--out", str(out)) == 0
    assert {row["policy"] for row in rows(out).values()} == {"constant"}
    again = tmp_path / "again.ndjson"
    decide(trained, "--as-of", AS_OF, "--mode", "live", "--out", str(again))
    assert first.read_bytes() == again.read_bytes()
    with SqliteLedger(trained.ledger) as ledger:
        assert ledger.decision_counts()["live"] == 12


def test_a_replay_steps_from_its_own_past(home: Home, tmp_path: Path) -> None:
    (home.root / "flyball.toml").write_text("[guardrails]\nfriction_share = 1.0\n")
    multipliers = []
    for week in ("2025-12-22", "2025-12-29", "2026-01-05"):
        out = tmp_path / f"{week}.ndjson"
        options = ("--mode", "replay", "--policy", "constant", "--policy-arm", "0.7")
        assert decide(home, "--as-of", f"{week}T00:00:00Z", *options, "--out", str(out)) == 0
        multipliers.append(rows(out)["ent_03"]["multiplier"])
    # At most 0.15 away from 1 per period.
    assert multipliers == [0.85, 0.7, 0.7]


def test_nothing_after_the_as_of_time_matters(home: Home, tmp_path: Path, kit: Any) -> None:
    before, after = tmp_path / "1.ndjson", tmp_path / "2.ndjson"
    decide(home, "--as-of", "2025-12-29T00:00:00Z", "--out", str(before))
    kit.spike(home, "ent_01", kit.now_us, 1e9)
    decide(home, "--as-of", "2025-12-29T00:00:00Z", "--out", str(after))
    assert before.read_bytes() == after.read_bytes()


def test_every_format_says_the_same(home: Home, tmp_path: Path) -> None:
    for suffix in ("ndjson", "json", "parquet"):
        out = tmp_path / f"d.{suffix}"
        assert decide(home, "--as-of", AS_OF, "--tenants", "ent_02,ent_01", "--out", str(out)) == 0
    lines = list(rows(tmp_path / "d.ndjson").values())
    assert [line["tenant_id"] for line in lines] == ["ent_01", "ent_02"]
    assert json.loads((tmp_path / "d.json").read_text())["decisions"] == lines
    assert pq.read_table(tmp_path / "d.parquet").to_pylist() == lines


def test_publishing_writes_the_snapshot(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "d.ndjson"
    assert decide(home, "--as-of", AS_OF, "--mode", "live", "--publish", "--out", str(out)) == 0
    from models.signature import load_public_key
    from serving.snapshot.reader import SnapshotReader

    reader = SnapshotReader(home.snapshot, load_public_key(home.verify_key))
    assert reader.refresh()
    assert reader.lookup("key-ent_04", 0).tenant_id == "ent_04"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--as-of", "yesterday"), 2, "RFC 3339"),
        (("--as-of", "2026-01-05T00:00:00"), 2, "zone"),
        (("--policy", "valu"), 2, "value"),
        (("--policy", "constant", "--policy-arm", "0.855"), 2, "hundredths"),
        (("--policy", "constant", "--policy-arm", "nan"), 2, "hundredths"),
        (("--policy", "value", "--policy-arm", "0.85"), 2, "constant"),
        (("--policy", "constant"), 2, "parameter"),
        (("--tenants", "nobody"), 2, "nobody"),
        (("--tenants", ","), 2, "nobody"),
        (("--out", "decisions.xlsx"), 2, ".parquet"),
        (("--publish",), 2, "live"),
        (("--mode", "dry"), 2, "live"),
    ],
)
def test_bad_options_say_what_to_do(
    options: tuple[str, ...],
    code: int,
    words: str,
    home: Home,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert decide(home, *options) == code
    assert words in capsys.readouterr().err


def test_a_mistyped_home_is_an_error_and_is_not_created(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--home", str(tmp_path / "typo"), "decide"]) == 2
    assert "flyball import" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


def test_live_decisions_only_go_forward(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "d.ndjson")
    decide(home, "--as-of", AS_OF, "--mode", "live", "--out", out)
    assert decide(home, "--as-of", "2025-12-29T00:00:00Z", "--mode", "live", "--out", out) == 3
    assert "replay" in capsys.readouterr().err


def test_a_damaged_bundle_is_refused_and_named(
    trained: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    card = trained.bundles / "b1" / "card.md"
    card.write_text("changed")
    assert decide(trained, "--as-of", AS_OF) == 5
    assert "b1" in capsys.readouterr().err


def test_kill_sets_live_decisions_to_one_but_not_what_ifs(trained: Home, tmp_path: Path) -> None:
    trained.kill.parent.mkdir(parents=True, exist_ok=True)
    trained.kill.write_text("{}")
    live, what_if = tmp_path / "live.ndjson", tmp_path / "what_if.ndjson"
    decide(trained, "--as-of", AS_OF, "--mode", "live", "--out", str(live))
    decide(trained, "--as-of", AS_OF, "--out", str(what_if))
    assert {row["assignment"] for row in rows(live).values()} == {"killed"}
    assert {row["multiplier"] for row in rows(live).values()} == {1.0}
    assert any(row["multiplier"] != 1.0 for row in rows(what_if).values())
    with SqliteLedger(trained.ledger) as ledger:
        assert ledger.last_run(Mode.LIVE) is not None
