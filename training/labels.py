"""Labels: the first outcome within a unit's period, and within 28 days for reporting.

Cause-specific and discrete: a unit ends with the first of upgrade, downgrade and churn, and what
happens after that belongs to another unit. A label whose window is not over by the as-of time is
NULL, never "nothing happened".
"""

from __future__ import annotations

from typing import Any

from training.outcome import KIND_OUTCOME, Outcome

HOURS_PER_DAY = 24
REPORT_DAYS = 28


def _first_outcome(days: int, as_of_hour: int, name: str) -> str:
    hours = days * HOURS_PER_DAY
    case = " ".join(f"WHEN '{kind}' THEN {int(o)}" for kind, o in KIND_OUTCOME.items())
    kinds = ", ".join(f"'{kind}'" for kind in KIND_OUTCOME)
    return f"""
        SELECT unit.unit_id,
            CASE WHEN unit.start_hour + {hours} > {as_of_hour} THEN NULL
                ELSE coalesce(first.code, {int(Outcome.NONE)}) END AS {name}
        FROM unit LEFT JOIN (
            SELECT unit_id, code FROM (
                SELECT unit.unit_id, CASE kind {case} END AS code,
                    row_number() OVER (
                        PARTITION BY unit.unit_id ORDER BY event_hour, subscription.version, kind
                    ) AS turn
                FROM unit JOIN subscription
                    ON subscription.tenant_id = unit.tenant_id
                    AND subscription.event_hour >= unit.start_hour
                    AND subscription.event_hour < unit.start_hour + {hours}
                WHERE kind IN ({kinds}) AND subscription.known_hour < {as_of_hour}
            ) WHERE turn = 1
        ) AS first ON first.unit_id = unit.unit_id
    """


def label_units(connection: Any, as_of_hour: int, *, period_days: int) -> None:
    """Create ``unit_label(unit_id, outcome, outcome_28)`` for the units in ``connection``.

    Codes are those of :class:`training.outcome.Outcome`. ``outcome`` is never NULL, because units
    whose period is not over have been left out.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE unit_label AS
        SELECT period.unit_id, CAST(outcome AS BIGINT) AS outcome,
            CAST(outcome_28 AS BIGINT) AS outcome_28
        FROM ({_first_outcome(period_days, as_of_hour, "outcome")}) AS period
        JOIN ({_first_outcome(REPORT_DAYS, as_of_hour, "outcome_28")}) AS month USING (unit_id)
        """
    )
