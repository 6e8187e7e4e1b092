"""Promises that every feature keeps, over every input relation; run them on your own features too.

Each check takes a loaded history (:mod:`features.histories`) and as-of times, and raises
AssertionError with the columns that differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from features.executor import compute
from features.histories import FOLD_DAYS, History, Row, append
from features.inputs import INPUTS

#: The columns that say when a row happened and when it became known.
_WHEN = {
    "usage_hour": ("event_hour", "arrival_hour"),
    "account": ("effective_hour", "known_hour"),
    "plan": ("effective_hour", "known_hour"),
    "subscription": ("event_hour", "known_hour"),
    "decision": ("start_hour", "known_hour"),
    "ticket": ("opened_hour", "known_hour"),
    "intervention": ("event_hour", "known_hour"),
    "incident": ("from_hour", "known_hour"),
}
#: Rows that end: the end is an event of its own.
_ENDS = {"ticket": "closed_hour", "incident": "to_hour"}
_ABSURD = 9.0e14


def table_of(
    history: History,
    spine: Sequence[tuple[str, int]],
    change: Callable[[Any], None] | None = None,
) -> pa.Table:
    """The feature table of ``spine`` over ``history``, after ``change`` has altered its rows."""
    with duckdb.connect() as connection:
        history.load(connection)
        if change is not None:
            change(connection)
        append(connection, "spine", [tuple(row) for row in spine])
        return compute(connection)


def differing(one: pa.Table, other: pa.Table) -> list[str]:
    """Columns in which two feature tables are not identical to the last bit."""
    if one.num_rows != other.num_rows or one.schema.names != other.schema.names:
        return ["(shape)"]
    return [
        name
        for name in one.schema.names
        if not one[name].combine_chunks().equals(other[name].combine_chunks())
    ]


def check_truncation(history: History, as_of_hour: int) -> None:
    """Deleting everything that happened or arrived after the as-of hour changes nothing."""

    def truncate(connection: Any) -> None:
        for relation, (own, known) in _WHEN.items():
            connection.execute(
                f"DELETE FROM {relation} WHERE {own} >= ? OR {known} >= ?",
                [as_of_hour, as_of_hour],
            )
        for relation, end in _ENDS.items():
            connection.execute(f"UPDATE {relation} SET {end} = NULL WHERE {end} >= ?", [as_of_hour])
        _refold(connection)

    _unchanged(history, as_of_hour, truncate)


def check_poison(history: History, as_of_hour: int) -> None:
    """Absurd rows of the future, and of the past but not yet known, change nothing."""

    def poison(connection: Any) -> None:
        for relation, (own, known) in _WHEN.items():
            for own_hour in (as_of_hour, as_of_hour + 30, as_of_hour - 1, as_of_hour - 200):
                row = {own: own_hour, known: max(own_hour, as_of_hour)}
                append(connection, relation, _absurd(history, relation, row))
        _refold(connection)

    _unchanged(history, as_of_hour, poison)


def check_order(history: History, as_of_hour: int, seed: int = 0) -> None:
    """The physical order of the rows changes nothing."""

    def shuffle(connection: Any) -> None:
        for relation in (*_WHEN, "usage_day"):
            connection.execute(
                f"CREATE OR REPLACE TABLE {relation} AS SELECT * FROM {relation} AS r "
                f"ORDER BY hash(r, {seed})"
            )

    _unchanged(history, as_of_hour, shuffle)


def check_live_equals_offline(history: History, as_of_hours: Sequence[int]) -> None:
    """One as-of time for some tenants gives what one batch of all of them gives."""
    spine = [(tenant, hour) for tenant in history.tenants for hour in as_of_hours]
    batch = table_of(history, spine)
    for number, hour in enumerate(as_of_hours):
        chosen = history.tenants[number % 2 :: 2]
        live = table_of(history, [(tenant, hour) for tenant in chosen])
        wanted = {(tenant, hour) for tenant in chosen}
        keys = zip(batch["tenant_id"].to_pylist(), batch["as_of_hour"].to_pylist(), strict=True)
        same = batch.filter(pa.array([key in wanted for key in keys]))
        columns = differing(live, same)
        assert not columns, f"live differs from offline at hour {hour} in {columns}"


def _unchanged(history: History, as_of_hour: int, change: Callable[[Any], None]) -> None:
    spine = [(tenant, as_of_hour) for tenant in history.tenants]
    columns = differing(table_of(history, spine), table_of(history, spine, change))
    assert not columns, f"{change.__name__} at hour {as_of_hour} changed {columns}"


def _refold(connection: Any) -> None:
    connection.execute("DELETE FROM usage_day")
    connection.execute(FOLD_DAYS)


def _absurd(history: History, relation: str, hours: dict[str, int]) -> list[Row]:
    """One absurd row for each kind of key the relation has."""
    keys: list[dict[str, object]]
    if relation == "incident":
        keys = [{"scope_kind": "all", "scope": ""}]
    elif relation == "plan":
        keys = [{"plan": plan} for plan in ("free", "team", "scale")]
    else:
        keys = [{"tenant_id": tenant} for tenant in history.tenants]
    if relation == "usage_hour":
        meters = sorted({row[1] for row in history.rows["usage_hour"]})
        keys = [{**key, "meter": meter} for key in keys for meter in meters]
    words = {"mode": "live", "severity": "urgent", "kind": "upgraded", "plan": "free"}
    absurd = {"VARCHAR": "absurd", "BIGINT": 2**31, "DOUBLE": _ABSURD}
    last_us = {"last_at_us": hours[_WHEN[relation][0]] * 3_600_000_000} if hours else {}
    open_end: dict[str, object] = {_ENDS[relation]: None} if relation in _ENDS else {}
    return [
        tuple(
            {**words, **last_us, **open_end, **key, **hours}.get(name, absurd[kind])
            for name, kind in INPUTS[relation].items()
        )
        for key in keys
    ]
