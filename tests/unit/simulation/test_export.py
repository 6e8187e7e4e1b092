from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from simulation import saved
from simulation.calendar_week import HOUR_US, first_hour, instant
from simulation.history import History
from simulation.living import live_week

LATENT = ("fragility", "dependence", "intent", "trend", "health", "level", "chances")


def _query(history: History, sql: str) -> list[tuple[Any, ...]]:
    usage = str(history.folder / "usage-*.parquet")
    found = duckdb.execute(sql.replace("USAGE", f"read_parquet('{usage}')")).fetchall()
    return [tuple(row) for row in found]


def _accounts(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "accounts.ndjson").read_text().splitlines()]


def test_every_file_of_the_contract_is_there(history: History) -> None:
    names = {path.name for path in history.folder.iterdir()}
    assert {
        "plans.json",
        "meters.json",
        "economics.json",
        "accounts.ndjson",
        "subscriptions.csv",
        "decisions.parquet",
        "tickets.csv",
    } <= names
    assert sum(name.startswith("usage-") for name in names) == 9


def test_nothing_latent_is_exported(history: History) -> None:
    columns: set[str] = set()
    for path in history.folder.iterdir():
        if path.suffix == ".parquet":
            columns |= set(pq.read_schema(path).names)
        elif path.suffix == ".csv":
            columns |= set(path.read_text().splitlines()[0].split(","))
    columns |= set(_accounts(history.folder)[0])
    assert not any(secret in column for secret in LATENT for column in columns)
    assert not list(history.folder.glob("*truth*"))


def test_usage_is_known_by_the_end_and_never_before_its_account(history: History) -> None:
    created = {row["tenant_id"]: row["created_at"] for row in _accounts(history.folder)}
    rows = _query(
        history,
        "select tenant_id, min(epoch_us(time)) // 3600000000, max(epoch_us(ingested_at))"
        " from USAGE group by 1",
    )
    end = first_hour(history.world.week) + history.world.opened_hours
    for tenant, first, known in rows:
        assert instant(first) >= created[tenant]
        assert known < end * HOUR_US


def test_identities_repeat_only_with_the_same_content(history: History) -> None:
    [(total, distinct, contents)] = _query(
        history,
        "select count(*), count(distinct (tenant_id, id)),"
        " count(distinct (tenant_id, id, meter, time, quantity)) from USAGE",
    )
    assert distinct == contents
    assert 0 < total - distinct < 0.005 * total


def test_some_events_come_late_and_a_few_never(history: History) -> None:
    [(late, total)] = _query(
        history,
        "select count(*) filter (ingested_at >= time + interval 1 hour), count(*) from USAGE"
        " where meter = 'api.requests'",
    )
    assert 0.01 < late / total < 0.03


def test_requests_are_hourly_and_blocked_only_where_demand_exceeded_the_limit(
    history: History,
) -> None:
    [(uneven, empty)] = _query(
        history,
        "select count(*) filter (epoch_us(time) % 3600000000 <> 0),"
        " count(*) filter (quantity <= 0) from USAGE",
    )
    assert uneven == empty == 0
    [(more,)] = _query(
        history,
        "select count(*) from (from USAGE where meter = 'api.blocked') b join"
        " (from USAGE where meter = 'api.requests') r using (tenant_id, time)"
        " where b.quantity > r.quantity",
    )
    assert more == 0


def test_decisions_start_on_mondays_with_propensities_that_sum_to_one(history: History) -> None:
    rows = pq.read_table(history.folder / "decisions.parquet").to_pylist()
    assert len(rows) > 500
    for row in rows:
        offered = json.loads(row["offered"])
        assert row["time"].weekday() == 0
        assert abs(sum(offered.values()) - 1.0) < 1e-6
        assert offered[f"{row['multiplier']:.2f}"] == pytest.approx(row["propensity"])
    latest = max(row["time"] for row in rows)
    week_before = first_hour(history.world.week - 1) * HOUR_US
    assert latest.timestamp() * 1e6 == week_before  # the begun week is the product's to decide


def test_tenants_of_one_organisation_share_a_draw(history: History) -> None:
    parent = {row["tenant_id"]: row["parent_org"] for row in _accounts(history.folder)}
    arms: dict[tuple[str, object, str], set[float]] = {}
    for row in pq.read_table(history.folder / "decisions.parquet").to_pylist():
        if org := parent[row["tenant_id"]]:
            key = (org, row["time"], row["offered"])
            arms.setdefault(key, set()).add(row["multiplier"])
    assert arms
    assert all(len(drawn) == 1 for drawn in arms.values())


def test_a_plan_change_makes_a_new_account_version(history: History) -> None:
    versions = {(row["tenant_id"], row["effective_at"]): row for row in _accounts(history.folder)}
    with (history.folder / "subscriptions.csv").open() as file:
        changes = [row for row in csv.DictReader(file) if row["kind"] in {"upgraded", "downgraded"}]
    assert changes
    for change in changes:
        assert versions[change["tenant_id"], change["time"]]["plan"] == change["plan"]


def test_the_next_week_goes_on_where_the_history_ended(history: History, tmp_path: Path) -> None:
    saved.save(tmp_path / "world", history.world, history.exporter)
    world, exporter = saved.load(tmp_path / "world")
    monday = first_hour(world.week)
    live_week(world, exporter, tmp_path / "next", dict.fromkeys(world.present(), 85))
    both = f"['{history.folder}/usage-*.parquet', '{tmp_path}/next/usage-*.parquet']"
    [(distinct, contents)] = duckdb.execute(
        "select count(distinct (tenant_id, id)), count(distinct (tenant_id, id, quantity))"
        f" from read_parquet({both})"
    ).fetchall()
    assert distinct == contents
    hours = duckdb.execute(
        f"select distinct epoch(time)::bigint // 3600 from read_parquet({both})"
        " where meter = 'api.requests'"
    ).fetchall()
    assert {hour for (hour,) in hours} >= set(range(monday, monday + 167))
    assert not (tmp_path / "next" / "decisions.parquet").exists()


def test_an_open_ticket_is_told_again_when_it_is_closed(history: History, tmp_path: Path) -> None:
    saved.save(tmp_path / "world", history.world, history.exporter)
    world, exporter = saved.load(tmp_path / "world")
    waiting = {ticket.id for ticket in exporter.waiting}
    assert waiting
    live_week(world, exporter, tmp_path / "next", {})
    with (tmp_path / "next" / "tickets.csv").open() as file:
        closed = {row["id"] for row in csv.DictReader(file) if row["closed_at"]}
    assert waiting & closed
