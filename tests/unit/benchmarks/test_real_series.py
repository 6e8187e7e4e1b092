"""How real series become tenants, and what the real-input benchmark calls a spike."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.real_series import Series, load, write_import
from benchmarks.real_telemetry import Verdict, check, main, verdict

START = datetime(2015, 3, 2, tzinfo=UTC)


def _write(folder: Path, name: str, days: int, spike_day: int | None, start: datetime) -> None:
    lines = ["timestamp,value"]
    for hour in range(days * 24):
        busy = 50 if 8 <= hour % 24 < 18 else 5
        value = busy * (6 if spike_day == hour // 24 and hour % 24 == 12 else 1)
        lines.append(f"{(start + timedelta(hours=hour)):%Y-%m-%d %H:%M:%S},{value}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def series(tmp_path: Path) -> list[Series]:
    folder = tmp_path / "nab"
    _write(folder / "a", "Twitter_volume_X", 30, 20, START)
    _write(folder / "b", "calm", 30, None, START - timedelta(days=700))
    _write(folder / "b", "short", 5, None, START)
    found, skipped = load(folder)
    assert skipped == ["short"]
    return found


def test_series_of_different_years_end_in_one_week_with_their_weekdays_kept(
    series: list[Series],
) -> None:
    assert {each.tenant_id for each in series} == {"tweets_X", "calm"}
    assert len({(each.end_hour - 1) // 168 for each in series}) == 1
    calm = next(each for each in series if each.tenant_id == "calm")
    moved = calm.times_s[0] - int((START - timedelta(days=700)).timestamp())
    assert moved % (168 * 3600) == 0


def test_the_plan_is_sized_to_the_usual_busiest_hour(series: list[Series]) -> None:
    # 50 an hour is scaled by a power of ten to at least 1,000.
    assert [each.base for each in series] == [5_000, 5_000]


def test_only_the_hour_far_above_the_usual_peak_is_a_spike(series: list[Series]) -> None:
    spiky = next(each for each in series if each.tenant_id == "tweets_X")
    assert [int(hour) - spiky.first_hour for hour in spiky.spike_hours()] == [20 * 24 + 12]
    calm = next(each for each in series if each.tenant_id == "calm")
    assert len(calm.spike_hours()) == 0


def test_the_import_directory_has_months_old_tenants_with_70_percent_under_contract(
    series: list[Series], tmp_path: Path
) -> None:
    write_import(tmp_path / "import", series)
    lines = (tmp_path / "import" / "accounts.ndjson").read_text().splitlines()
    accounts = [json.loads(line) for line in lines]
    usage = pq.read_table(tmp_path / "import" / "usage.parquet").to_pylist()
    for account in accounts:
        assert account["contract_limit"] == account["base_limit"] * 7 // 10
        first = min(r["time"] for r in usage if r["tenant_id"] == account["tenant_id"])
        assert first - datetime.fromisoformat(account["created_at"]) >= timedelta(days=90)


def _verdict(on: int, off: int) -> Verdict:
    return Verdict(
        tenant_id="t",
        base=1,
        peak_share=6.0,
        spikes=1,
        seen=1,
        inside_on=on,
        inside_off=off,
        friction_share=0.5,
    )


def test_the_check_fails_on_friction_in_a_spike_and_when_it_could_not_fail() -> None:
    assert check([_verdict(on=0, off=1)]) == 0
    assert check([_verdict(on=1, off=1)]) == 1
    assert check([_verdict(on=0, off=0)]) == 1


def test_a_spike_is_judged_from_the_hour_after_it_was_first_seen(series: list[Series]) -> None:
    spiky = next(each for each in series if each.tenant_id == "tweets_X")
    hour = int(spiky.spike_hours()[0])
    found = verdict(spiky, {hour: 85, hour + 1: 100}, {hour: 85, hour + 1: 85}, since=0)
    assert (found.seen, found.inside_on, found.inside_off) == (1, 0, 1)


def test_without_the_data_it_says_so_and_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path)]) == 0
    assert "Skipped" in capsys.readouterr().out
