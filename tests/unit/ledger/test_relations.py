"""What features read is exactly what the ledger knew as of a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.decision import Mode
from flyball.instant import DAY_US, HOUR_US
from flyball.plan import plan_from
from flyball.tenant import Account
from ledger.records import Incident, PlanEntry, Severity, Ticket
from ledger.relations import (
    SCHEMAS,
    account_table,
    limit_table,
    register_relations,
    relation_tables,
)
from ledger.rows import parse_decision, parse_intervention, parse_subscription
from ledger.sqlite_ledger import SqliteLedger

HOUR = 490_000
NOW = HOUR * HOUR_US


def plan(name: str, base: int, *, per: str = "minute", at: int | None = None) -> PlanEntry:
    entry = {
        "plan": name,
        "rank": 1,
        "monthly_price_minor": 9900,
        "currency": "EUR",
        "primary_meter": "api.requests",
        "limits": {"api.requests": {"base": base, "contract": base * 7 // 10, "per": per}},
    }
    return PlanEntry(plan=plan_from(entry), effective_us=at)


def account(
    tenant_id: str = "t1", *, at: int = NOW, known: int | None = None, **more: Any
) -> Account:
    given: dict[str, Any] = {"plan": "free", "created_us": at, "currency": "EUR", **more}
    return Account(
        tenant_id=tenant_id, effective_us=at, known_us=at if known is None else known, **given
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(tmp_path / "ledger.sqlite") as opened:
        opened.import_plans([plan("free", 1000), plan("pro", 5000, per="hour")], now_us=NOW)
        yield opened


def test_an_empty_ledger_gives_empty_relations_with_their_columns(tmp_path: Path) -> None:
    connection = duckdb.connect()
    with SqliteLedger(tmp_path / "empty.sqlite") as empty:
        register_relations(connection, empty)
        assert limit_table(empty).num_rows == 0
    for name, schema in SCHEMAS.items():
        if name != "limit_in_force":
            relation = connection.execute(f"SELECT * FROM {name}")
            assert [column[0] for column in relation.description] == schema.names
            assert relation.fetchall() == []


def test_limits_are_resolved_against_the_plan(ledger: SqliteLedger) -> None:
    ledger.import_accounts(
        [account("a"), account("b", plan="pro", base_limit=100, parent_org="org")], now_us=NOW
    )
    rows = account_table(ledger).to_pylist()
    assert [(r["base_limit"], r["contract_limit"], r["window_seconds"]) for r in rows] == [
        (1000, 700, 60),
        (100, 100, 3600),
    ]
    assert [r["organisation"] for r in rows] == ["a", "org"]
    assert account_table(ledger, ["b"]).num_rows == 1


def test_money_is_converted_into_the_economics_currency(ledger: SqliteLedger) -> None:
    ledger.put_account(account(mrr_minor=5000))
    ledger.put_account(account("t2", mrr_minor=5000, currency="GBP"))
    assert relation_tables(ledger)["plan"]["price"].to_pylist() == [99.0, 99.0]
    economics = {"currency": "USD", "fx": {"EUR": 1.5}}
    ledger.put_setting("economics", economics, author="ann", now_us=NOW)
    tables = relation_tables(ledger)
    assert tables["account"]["mrr"].to_pylist() == [75.0, None]
    assert tables["plan"]["price"].to_pylist() == [148.5, 148.5]


def test_only_live_decisions_are_read(ledger: SqliteLedger) -> None:
    row: dict[str, object] = {
        "decision_id": "d1", "tenant_id": "t1", "time": "2026-01-05T00:30:00Z", "multiplier": 0.85,
        "propensity": 0.2,
    }  # fmt: skip
    live = parse_decision(row)
    ledger.append_decisions([live, replace(live, decision_id="d2", mode=Mode.WHAT_IF)])
    rows = relation_tables(ledger)["decision"].to_pylist()
    assert [(r["arm"], r["mode"], r["start_hour"] * HOUR_US) for r in rows] == [
        (85, "live", live.period_start_us - HOUR_US // 2)
    ]


def test_subscriptions_of_one_instant_have_an_order_that_ignores_arrival(
    ledger: SqliteLedger,
) -> None:
    rows = [
        parse_subscription(
            {"id": name, "tenant_id": "t1", "time": "2026-01-05T00:00:00Z", "kind": "renewed"}
        )
        for name in ("b", "a")
    ]
    ledger.import_subscriptions(rows)
    found = relation_tables(ledger, ["t1"])["subscription"]
    assert sorted(found["version"].to_pylist()) == [1, 2]
    assert relation_tables(ledger, ["t2"])["subscription"].num_rows == 0


def test_a_ticket_and_an_incident_close_when_it_is_known(ledger: SqliteLedger) -> None:
    ticket = Ticket(
        ticket_id="k", tenant_id="t1", opened_us=NOW, known_us=NOW, severity=Severity.LOW
    )
    incident = Incident(incident_id="i", from_us=NOW, known_us=NOW, scope_kind="", scope="t1")
    ledger.import_tickets([ticket])
    ledger.import_incidents([incident])
    ledger.put_account(account())
    ledger.import_interventions(
        [parse_intervention({"tenant_id": "t1", "time": "2026-01-05T00:00:00Z", "kind": "call"})]
    )
    assert relation_tables(ledger)["ticket"]["closed_hour"].to_pylist() == [None]
    closed = replace(
        ticket, closed_us=NOW + HOUR_US, known_us=NOW + 5 * HOUR_US, severity=Severity.URGENT
    )
    ledger.import_tickets([closed])
    ledger.import_incidents([replace(incident, to_us=NOW + HOUR_US, known_us=NOW + DAY_US)])
    tables = relation_tables(ledger, ["t1"])
    assert tables["ticket"].to_pylist() == [
        {
            "tenant_id": "t1",
            "opened_hour": HOUR,
            "known_hour": HOUR,
            "severity": "low",
            "closed_hour": HOUR + 5,
        }
    ]
    assert tables["incident"].to_pylist() == [
        {
            "scope_kind": "tenant",
            "scope": "t1",
            "from_hour": HOUR,
            "to_hour": HOUR + 24,
            "known_hour": HOUR,
        }
    ]
    assert tables["intervention"].num_rows == 1


def test_the_limit_in_force_follows_plans_and_accounts(ledger: SqliteLedger) -> None:
    ledger.put_account(account(at=NOW, created_us=NOW - DAY_US))
    ledger.put_account(account(at=NOW + HOUR_US, created_us=NOW - DAY_US, segment="big"))
    ledger.put_plan(plan("free", 2000, at=NOW + 2 * HOUR_US), now_us=NOW + 2 * HOUR_US)
    ledger.put_account(account(at=NOW + 3 * HOUR_US, created_us=NOW - DAY_US, plan="pro"))
    found = [(r["from_hour"], r["base_limit"]) for r in limit_table(ledger).to_pylist()]
    assert found == [(HOUR - 24, 1000), (HOUR + 2, 2000), (HOUR + 3, 5000)]


def test_a_correction_of_the_past_leaves_enforced_limits(ledger: SqliteLedger) -> None:
    ledger.put_account(account())
    before = limit_table(ledger).to_pylist()
    ledger.put_account(account(at=NOW + HOUR_US, plan="pro", known=NOW + DAY_US))
    after = limit_table(ledger).to_pylist()
    assert after[:1] == before
    assert [r["from_hour"] for r in after] == [HOUR, HOUR + 24]


def test_an_hour_has_one_limit(ledger: SqliteLedger) -> None:
    ledger.put_account(account(at=NOW))
    ledger.put_account(account(at=NOW + 1, base_limit=7))
    ledger.put_account(account(at=NOW + 2, base_limit=8))
    assert [r["base_limit"] for r in limit_table(ledger).to_pylist()] == [8]


# Hours 0..5 of a day in which plans and accounts change and we learn of it late.
_times = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda t: (t[0], max(t)))
_plan_changes = st.lists(
    st.tuples(st.sampled_from(["free", "pro"]), _times, st.integers(1, 9)), max_size=4
)
_account_changes = st.lists(
    st.tuples(_times, st.sampled_from(["free", "pro"]), st.sampled_from([None, 77])),
    min_size=1,
    max_size=4,
)
_READ = """
SELECT plan, base_limit, contract_limit, window_seconds FROM account
WHERE effective_hour < ? AND known_hour < ? ORDER BY effective_hour DESC, version DESC LIMIT 1
"""


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(_plan_changes, _account_changes)
def test_reading_as_of_any_hour_gives_what_was_known_then(
    tmp_path_factory: pytest.TempPathFactory,
    plan_changes: list[tuple[str, tuple[int, int], int]],
    account_changes: list[tuple[tuple[int, int], str, int | None]],
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    with SqliteLedger(path) as ledger:
        ledger.import_plans([plan("free", 1000), plan("pro", 5000, per="hour")], now_us=NOW)
        for name, (effective, known), base in sorted(plan_changes, key=lambda c: c[1][1]):
            entry = plan(name, base * 10, at=NOW + effective * HOUR_US)
            ledger.put_plan(entry, now_us=NOW + known * HOUR_US)
        for (effective, known), name, base_limit in account_changes:
            ledger.put_account(
                account(
                    at=NOW + effective * HOUR_US,
                    known=NOW + known * HOUR_US,
                    created_us=NOW,
                    plan=name,
                    base_limit=base_limit,
                )
            )
        connection = duckdb.connect()
        register_relations(connection, ledger)
        for hour in range(7):
            as_of_us = NOW + hour * HOUR_US - 1
            rows = connection.execute(_READ, [HOUR + hour, HOUR + hour]).fetchall()
            found = ledger.accounts_as_of(as_of_us).get("t1")
            if found is None:
                assert rows == []
                continue
            limit = found.primary_limit(ledger.plans_as_of(as_of_us)[found.plan])
            assert rows == [(found.plan, limit.base, limit.contract, limit.window_seconds)]
        connection.close()
