"""Rows of the import directory, as text and as native values; what is refused and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.decision import Assignment
from flyball.errors import InvalidInput
from flyball.instant import parse_instant
from ledger.fields import Row
from ledger.records import Severity, SubscriptionKind
from ledger.rows import (
    parse_account,
    parse_decision,
    parse_incident,
    parse_intervention,
    parse_plan,
    parse_subscription,
    parse_ticket,
)

AT = "2026-01-05T00:00:00Z"
AT_US = parse_instant(AT)
ACCOUNT: dict[str, object] = {"tenant_id": "t1", "plan": "free", "created_at": AT}
DECISION: dict[str, object] = {
    "decision_id": "d1",
    "tenant_id": "t1",
    "time": AT,
    "multiplier": "0.85",
    "propensity": "0.05",
    "offered": '{"0.85": 0.05, "1.0": 0.9, "1.15": 0.05}',
}
TICKET: dict[str, object] = {"id": "k", "tenant_id": "t", "opened_at": AT, "severity": "urgent"}


def code_of(parse: Callable[[Any], object], row: object) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as refused:
        parse(row)
    return refused.value.code, refused.value.field


def test_an_account_as_csv_and_as_parquet_is_the_same() -> None:
    text = parse_account(
        ACCOUNT | {"seats": "5", "mrr_minor": "12.0", "aliases": "b;a| c", "base_limit": ""}
    )
    native = parse_account(
        {
            "tenant_id": "t1",
            "plan": "free",
            "created_at": datetime(2026, 1, 5, 1, tzinfo=timezone(timedelta(hours=1))),
            "seats": 5,
            "mrr_minor": Decimal(12),
            "aliases": ["c", "b", "a", "a"],
            "base_limit": float("nan"),
            "currency": None,
        }
    )
    assert text == native
    assert text.aliases == ("a", "b", "c")
    assert (text.effective_us, text.known_us, text.currency) == (AT_US, AT_US, "USD")
    assert parse_account(ACCOUNT | {"aliases": '["a", "b"]'}).aliases == ("a", "b")


def test_an_account_is_known_since_it_was_effective() -> None:
    parsed = parse_account(ACCOUNT | {"effective_at": "2026-02-01T00:00:00Z"})
    assert parsed.effective_us == parsed.known_us == parse_instant("2026-02-01T00:00:00Z")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"tenant_id": None}, "missing_field", "tenant_id"),
        ({"tenant_id": "../etc"}, "bad_identifier", "tenant_id"),
        ({"tenant_id": "a\u202eb"}, "bad_identifier", "tenant_id"),
        ({"tenant_id": "a\x00b"}, "bad_identifier", "tenant_id"),
        ({"tenant_id": True}, "bad_identifier", "tenant_id"),
        ({"created_at": "2026-01-05"}, "bad_time", "created_at"),
        ({"created_at": "2026-01-05T00:00:00"}, "bad_time", "created_at"),
        ({"created_at": datetime(2026, 1, 5)}, "bad_time", "created_at"),  # noqa: DTZ001
        ({"created_at": datetime(1980, 1, 5, tzinfo=UTC)}, "bad_time", "created_at"),
        ({"created_at": 1767571200}, "bad_time", "created_at"),
        ({"seats": "many"}, "bad_number", "seats"),
        ({"seats": "1.5"}, "bad_number", "seats"),
        ({"seats": "9" * 5000}, "bad_number", "seats"),
        ({"seats": "1_0"}, "bad_number", "seats"),
        ({"seats": "inf"}, "bad_number", "seats"),
        ({"seats": True}, "bad_number", "seats"),
        ({"seats": -1}, "invalid", "seats"),
        ({"base_limit": 0}, "bad_limit", "base_limit"),
        ({"base_limit": 10**400}, "bad_limit", "base_limit"),
        ({"name": "a\u202eb"}, "bad_label", "name"),
        ({"currency": "dollars"}, "invalid", "currency"),
        ({"aliases": "a b"}, "bad_identifier", "aliases"),
        ({"aliases": "[1, "}, "bad_json", "aliases"),
        ({"aliases": {"a": 1}}, "bad_list", "aliases"),
        ({"aliases": "[" * 100_000}, "bad_json", "aliases"),
    ],
)
def test_a_bad_account_names_its_field(change: dict[str, object], code: str, field: str) -> None:
    assert code_of(parse_account, ACCOUNT | change) == (code, field)


def test_a_decision_as_csv_and_as_parquet_is_the_same() -> None:
    native = DECISION | {
        "multiplier": 0.85,
        "propensity": 0.05,
        "offered": None,
        "eligible": [(85, 0.05), (100, 0.9), (115, 0.05), (130, None)],
        "time": datetime(2026, 1, 5, tzinfo=UTC),
    }
    parsed = parse_decision(DECISION)
    assert parse_decision(native) == parsed
    assert parsed.offered == {85: 0.05, 100: 0.9, 115: 0.05}
    assert (parsed.arm, parsed.proposed_arm, parsed.period_days) == (85, 100, 7)
    assert parsed.assignment is Assignment.DRAWN
    assert parsed.analysed


def test_a_certain_decision_is_not_analysed() -> None:
    parsed = parse_decision(DECISION | {"propensity": 1, "offered": "", "multiplier": "1"})
    assert parsed.assignment is Assignment.POLICY
    assert parsed.offered == {100: 1.0}


def test_two_rows_of_the_same_text_do_not_share_a_dictionary() -> None:
    first, second = parse_decision(DECISION), parse_decision(DECISION)
    assert first.offered is not second.offered


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"propensity": 0}, "bad_propensity", "propensity"),
        ({"propensity": 1.5}, "bad_propensity", "propensity"),
        ({"propensity": "nan"}, "bad_number", "propensity"),
        ({"propensity": float("nan")}, "missing_field", "propensity"),
        ({"propensity": 0.5}, "bad_propensity", "propensity"),
        ({"multiplier": "0.857"}, "bad_arm", "multiplier"),
        ({"multiplier": "-1"}, "bad_arm", "multiplier"),
        ({"multiplier": "0.7"}, "bad_arm", "offered"),
        ({"multiplier": "1e400"}, "bad_number", "multiplier"),
        ({"offered": "{"}, "bad_json", "offered"),
        ({"offered": "[1]"}, "bad_arm", "offered"),
        ({"offered": 7}, "bad_arm", "offered"),
        ({"offered": '{"0.85": 0.05}'}, "bad_propensity", "offered"),
        ({"offered": '{"0.85": 0.05, "85": 0.95}'}, "bad_propensity", "offered"),
        ({"offered": '{"a": 1}'}, "bad_number", "offered"),
        ({"period_days": 0}, "bad_number", "period_days"),
    ],
)
def test_a_bad_decision_names_its_field(change: dict[str, object], code: str, field: str) -> None:
    assert code_of(parse_decision, DECISION | change) == (code, field)


def test_a_subscription_without_id_is_named_by_its_content() -> None:
    row: dict[str, object] = {"tenant_id": "t", "time": AT, "kind": "Churned"}
    first, again = parse_subscription(row), parse_subscription(dict(row))
    assert first == again
    assert first.kind is SubscriptionKind.CHURNED
    assert parse_subscription(row | {"plan": "p"}).subscription_id != first.subscription_id
    assert parse_subscription(row | {"id": "x"}).subscription_id == "x"
    assert code_of(parse_subscription, row | {"kind": "left"}) == ("bad_kind", "kind")
    assert code_of(parse_subscription, row | {"mrr_minor": -5}) == ("bad_number", "mrr_minor")


def test_a_ticket_is_known_when_it_was_last_touched() -> None:
    assert parse_ticket(TICKET).known_us == AT_US
    closed = parse_ticket(TICKET | {"closed_at": "2026-01-06T00:00:00Z"})
    assert closed.known_us == closed.closed_us == parse_instant("2026-01-06T00:00:00Z")
    assert closed.severity is Severity.URGENT
    early = TICKET | {"closed_at": "2026-01-04T00:00:00Z"}
    assert code_of(parse_ticket, early) == ("bad_time", "closed_at")
    assert code_of(parse_ticket, TICKET | {"severity": "high"}) == ("bad_severity", "severity")


@pytest.mark.parametrize(
    ("scope", "kind", "name"),
    [
        (None, "all", ""),
        ("all", "all", ""),
        ("region:eu", "region", "eu"),
        ("tenant:t1", "tenant", "t1"),
        ("eu", "", "eu"),
        ("zone:eu", "", "zone:eu"),
    ],
)
def test_an_incidents_scope(scope: str | None, kind: str, name: str) -> None:
    parsed = parse_incident({"id": "i", "from": AT, "scope": scope})
    assert (parsed.scope_kind, parsed.scope) == (kind, name)


def test_an_incident_cannot_end_before_it_begins() -> None:
    row = {"id": "i", "from": AT, "to": "2026-01-04T00:00:00Z"}
    assert code_of(parse_incident, row) == ("bad_time", "to")


def test_an_intervention_needs_a_kind() -> None:
    row: dict[str, object] = {"tenant_id": "t", "time": AT}
    assert parse_intervention(row | {"kind": "call"}).kind == "call"
    assert code_of(parse_intervention, row) == ("missing_field", "kind")


def test_a_plan_may_be_dated() -> None:
    entry = {
        "plan": "free", "rank": 0, "monthly_price_minor": 0, "currency": "USD",
        "primary_meter": "api.requests", "limits": {"api.requests": {"base": 10}},
    }  # fmt: skip
    assert parse_plan(entry).effective_us is None
    assert parse_plan(entry | {"effective_at": AT}).effective_us == AT_US
    assert code_of(parse_plan, entry | {"effective_at": "soon"}) == ("bad_time", "effective_at")
    assert code_of(parse_plan, [])[1] == "plans"


_VALUES = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.binary(max_size=5),
    st.datetimes(),
    st.lists(st.one_of(st.text(max_size=5), st.integers(), st.none()), max_size=3),
    st.dictionaries(st.text(max_size=5), st.floats(), max_size=3),
    st.just('{"1":1}'),
    st.just(AT),
)
_COLUMNS = [
    "tenant_id",
    "plan",
    "created_at",
    "effective_at",
    "aliases",
    "seats",
    "currency",
    "renewal_at",
    "decision_id",
    "time",
    "multiplier",
    "propensity",
    "offered",
    "eligible",
    "period_days",
    "policy",
    "kind",
    "mrr_minor",
    "id",
    "opened_at",
    "severity",
    "closed_at",
    "from",
    "to",
    "scope",
    "note",
]


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(_COLUMNS, _VALUES)))
def test_any_row_is_read_or_refused_by_name(row: dict[str, object]) -> None:
    parsers = (
        parse_account, parse_decision, parse_incident, parse_intervention, parse_subscription,
        parse_ticket,
    )  # fmt: skip
    for parse in parsers:
        refused = refusal(parse, row)
        assert refused is None or (refused.field and refused.code)


def refusal(parse: Callable[[Row], object], row: Row) -> InvalidInput | None:
    try:
        parse(row)
    except InvalidInput as error:
        return error
    return None
