"""Units of analysis: one live decision for one tenant for one period (or one week of history).

Every decision that is left out is counted under a stated reason, so that the dataset's size can
always be explained. Nothing that happened after a decision decides whether it is kept, except that
its period must be over: dropping units by their consequences would bias every effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flyball.errors import InvalidInput
from flyball.instant import DAY_US, HOUR_US, period_start

HOURS_PER_DAY = 24

#: Columns of ``decision_log`` that the ``decision`` relation lacks, and what stands for them.
_OPTIONAL = {
    "decision_id": "tenant_id || '@' || start_hour",
    "offered": "CAST(NULL AS VARCHAR)",
    "assignment": "CASE WHEN propensity < 1 THEN 'drawn' ELSE 'policy' END",
    "policy": "''",
    "continued": "FALSE",
}

#: SQL condition -> why a decision is not a unit, checked in this order.
_REASONS = (
    ("period_days <> {period_days}", "other_period_length"),
    ("start_hour + {period_hours} > {as_of_hour}", "period_not_over"),
    ("continued", "continued"),
    ("repeat > 1", "repeated"),
    ("NOT alive", "not_alive"),
)


@dataclass(frozen=True, slots=True)
class UnitCount:
    """How many decisions became units, and why the others did not (reason -> count)."""

    kind: str
    kept: int
    dropped: Mapping[str, int]


def _source(connection: Any) -> str:
    """Live decisions as a query: from ``decision_log``, or from what features read without it."""
    names = {str(row[0]) for row in connection.execute("SHOW TABLES").fetchall()}
    relation = "decision_log" if "decision_log" in names else "decision"
    described = connection.execute(f"DESCRIBE {relation}").fetchall()
    present = {str(row[0]) for row in described}
    extra = ", ".join(
        name if name in present else f"{default} AS {name}" for name, default in _OPTIONAL.items()
    )
    return (
        "SELECT tenant_id, start_hour, known_hour, arm, propensity, period_days, "
        f"{extra} FROM {relation} WHERE mode = 'live'"
    )


def select_units(
    connection: Any, as_of_us: int, *, period_days: int, arms: Sequence[int], history_weeks: int
) -> UnitCount:
    """Create the temporary relation ``unit`` in ``connection`` and say how it came about.

    Columns: ``unit_id, tenant_id, start_hour, arm, propensity, offered_<arm>…, assignment,
    policy``. ``offered_<arm>`` is the logged propensity of that arm: 0 where it was not offered,
    NULL in the whole row where nothing was logged. Without any live decision the units are weeks of
    history at m = 1, marked ``static``, which can train risk models but carry no effect.

    Raises
    ------
    InvalidInput
        ``as_of_us`` is not aligned to an hour.
    """
    if as_of_us % HOUR_US:
        raise InvalidInput("The as-of time must be a whole hour.", field="as_of")
    _alive_spans(connection, as_of_us // HOUR_US)
    source = _source(connection)
    known = [as_of_us // HOUR_US]
    count = connection.execute(
        f"SELECT count(*) FROM ({source}) WHERE known_hour < ?", known
    ).fetchone()[0]
    if count:
        return _decided(connection, as_of_us, period_days, arms, source)
    return _history(connection, as_of_us, period_days, arms, history_weeks)


def _alive_spans(connection: Any, as_of_hour: int) -> None:
    """``gone``: spans in which a tenant had churned and not started again, as known by then."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE gone AS
        SELECT tenant_id, event_hour AS from_hour,
            coalesce(back_hour, 9223372036854775807) AS to_hour
        FROM (
            SELECT tenant_id, kind, event_hour, lead(event_hour) OVER turn AS back_hour
            FROM subscription
            WHERE kind IN ('churned', 'started') AND known_hour < {as_of_hour}
            WINDOW turn AS (PARTITION BY tenant_id ORDER BY event_hour, version)
        )
        WHERE kind = 'churned'
        """
    )


def _offered(arms: Sequence[int], source: str) -> str:
    """Columns ``offered_<arm>``; JSON keys are hundredths ("85")."""
    return ", ".join(
        f"CASE WHEN {source} IS NULL THEN NULL ELSE "
        f"coalesce(TRY_CAST(json_extract_string({source}, '$.\"{arm}\"') AS DOUBLE), 0) END "
        f"AS offered_{arm}"
        for arm in arms
    )


def _decided(
    connection: Any,
    as_of_us: int,
    period_days: int,
    arms: Sequence[int],
    source: str,
) -> UnitCount:
    as_of_hour, period_hours = as_of_us // HOUR_US, period_days * HOURS_PER_DAY
    reason = " ".join(f"WHEN {condition} THEN '{why}'" for condition, why in _REASONS).format(
        period_days=period_days, period_hours=period_hours, as_of_hour=as_of_hour
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE candidate AS
        WITH logged AS (
            SELECT * FROM ({source}) WHERE known_hour < {as_of_hour}
        ), numbered AS (
            SELECT logged.*,
                row_number() OVER (
                    PARTITION BY logged.tenant_id, start_hour
                    ORDER BY continued, known_hour, decision_id
                ) AS repeat,
                gone.tenant_id IS NULL AS alive
            FROM logged LEFT JOIN gone
                ON gone.tenant_id = logged.tenant_id
                AND gone.from_hour < logged.start_hour AND logged.start_hour < gone.to_hour
        )
        SELECT *, CASE {reason} END AS reason FROM numbered
        """
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE unit AS
        SELECT decision_id AS unit_id, tenant_id, start_hour, CAST(arm AS BIGINT) AS arm,
            CAST(propensity AS DOUBLE) AS propensity, {_offered(arms, "offered")},
            assignment, policy
        FROM candidate WHERE reason IS NULL
        """
    )
    counted = connection.execute(
        "SELECT reason, count(*) FROM candidate GROUP BY reason ORDER BY reason"
    ).fetchall()
    dropped = {str(why): int(count) for why, count in counted if why is not None}
    kept = sum(int(count) for why, count in counted if why is None)
    return UnitCount("decisions", kept, dropped)


def _history(
    connection: Any, as_of_us: int, period_days: int, arms: Sequence[int], history_weeks: int
) -> UnitCount:
    """Period starts of the last ``history_weeks`` at which a tenant existed and had been seen."""
    as_of_hour, period_hours = as_of_us // HOUR_US, period_days * HOURS_PER_DAY
    last = period_start(as_of_us - period_days * DAY_US, period_days) // HOUR_US
    first = last - history_weeks * 7 * HOURS_PER_DAY
    offered = ", ".join(
        f"CAST({1.0 if arm == 100 else 0.0} AS DOUBLE) AS offered_{arm}" for arm in arms
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE unit AS
        WITH seen AS (
            SELECT account.tenant_id,
                greatest(min(created_hour), min(usage.first_hour)) AS from_hour
            FROM account JOIN (
                SELECT tenant_id, min(event_day) * {HOURS_PER_DAY} AS first_hour
                FROM usage_day GROUP BY tenant_id
            ) AS usage ON usage.tenant_id = account.tenant_id
            WHERE account.known_hour < {as_of_hour}
            GROUP BY account.tenant_id
        )
        SELECT seen.tenant_id || '@' || start_hour AS unit_id, seen.tenant_id, start_hour,
            CAST(100 AS BIGINT) AS arm, CAST(1 AS DOUBLE) AS propensity, {offered},
            'static' AS assignment, 'static' AS policy
        FROM (SELECT unnest(range({first}, {last} + 1, {period_hours})) AS start_hour) AS start
        JOIN seen ON seen.from_hour + {7 * HOURS_PER_DAY} <= start_hour
        WHERE NOT EXISTS (
            SELECT 1 FROM gone WHERE gone.tenant_id = seen.tenant_id
            AND gone.from_hour < start_hour AND start_hour < gone.to_hour
        )
        """
    )
    kept = int(connection.execute("SELECT count(*) FROM unit").fetchone()[0])
    return UnitCount("history", kept, {})
