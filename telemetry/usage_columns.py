"""Usage columns of whatever type a file gives them, as SQL that yields checked values.

Row by row the rules are those of ``flyball.identity``, ``flyball.instant`` and ``flyball.meter``;
``tests/property/telemetry`` holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flyball.errors import InvalidInput
from flyball.instant import EARLIEST_US, LATEST_US
from flyball.meter import MAX_QUANTITY
from telemetry.cloudevents import MAX_AHEAD_US, MAX_ENDPOINT_CHARS
from telemetry.event_source import DEFAULT_SOURCE, SOURCE_PATTERN
from telemetry.parquet_file import quoted

REQUIRED = ("id", "tenant_id", "time", "meter", "quantity")
OPTIONAL = ("source", "endpoint", "ingested_at")

_IDENTIFIER = r"[A-Za-z0-9_][A-Za-z0-9_.:@|+=~-]{0,127}"
_CLOCK = r"(?:[01]\d|2[0-3]):\d{2}"
_INSTANT = rf"\d{{4}}-\d{{2}}-\d{{2}}[Tt ]{_CLOCK}:\d{{2}}(?:\.\d{{1,9}})?(?:[Zz]|[+-]{_CLOCK})"
_NUMBER = r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*"

_WHOLE = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
    "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
}  # fmt: skip


def missing_columns(columns: Iterable[str]) -> InvalidInput | None:
    """What is wrong with a file that has these columns, if anything."""
    present = set(columns)
    missing = [name for name in REQUIRED if name not in present]
    if not missing:
        return None
    return InvalidInput(
        f"column {', '.join(missing)} is missing.",
        f"A usage file has the columns {', '.join(REQUIRED)}.",
        field=missing[0],
        code="missing_column",
    )


def checked_rows(
    relation: str, columns: Mapping[str, str], meters: Iterable[str], *, now_us: int
) -> str:
    """SQL over ``relation``: one row each, with checked values and a code where one is wrong.

    Parameters
    ----------
    relation:
        Name of a relation with ``line`` and the file's columns.
    columns:
        Their DuckDB types by name.
    meters:
        Names of the declared meters.
    now_us:
        When the rows are read (µs): what lies more than an hour ahead is refused.

    Returns
    -------
    str
        Columns ``line, name, source, event_id, time_us, arrived_us, meter, quantity, endpoint,
        problem``; ``problem`` is NULL or ``code/field``.
    """
    known = ", ".join(quoted(name) for name in meters)
    return f"""
    WITH typed AS (
        SELECT line, {_text("tenant_id", columns)} AS name, {_text("id", columns)} AS event_id,
               {_source(columns)} AS source, {_instant("time", columns)} AS time_us,
               {_arrival(columns)} AS ingested_us, {_text("meter", columns)} AS meter,
               {_quantity(columns)} AS quantity, {_text("endpoint", columns, "''")} AS endpoint,
               {_given("ingested_at", columns)} AS timed_arrival
        FROM {relation}
    ), judged AS (
        SELECT *, CASE
            WHEN {_bad_identifier("event_id")} THEN 'bad_identifier/id'
            WHEN {_bad_identifier("name")} THEN 'bad_identifier/tenant_id'
            WHEN {_bad_source()} THEN 'bad_identifier/source'
            WHEN time_us IS NULL OR time_us < {EARLIEST_US} OR time_us >= {LATEST_US}
                THEN 'bad_time/time'
            WHEN time_us > {now_us + MAX_AHEAD_US} THEN 'future_time/time'
            WHEN timed_arrival AND (ingested_us IS NULL OR ingested_us < {EARLIEST_US}
                OR ingested_us > {now_us + MAX_AHEAD_US}) THEN 'bad_time/ingested_at'
            WHEN quantity IS NULL OR NOT isfinite(quantity) OR quantity < 0
                OR quantity > {MAX_QUANTITY} THEN 'bad_quantity/quantity'
            WHEN meter IS NULL OR meter NOT IN ({known}) THEN 'unknown_meter/meter'
            WHEN length(endpoint) > {MAX_ENDPOINT_CHARS}
                OR (endpoint <> '' AND regexp_matches(endpoint, '[\\pC\\p{{Zl}}\\p{{Zp}}]'))
                THEN 'bad_endpoint/endpoint'
            END AS problem
        FROM typed
    )
    SELECT line, name, source, event_id, time_us,
           CASE WHEN timed_arrival THEN greatest(ingested_us, time_us) ELSE time_us END
               AS arrived_us,
           meter, quantity, coalesce(endpoint, '') AS endpoint, problem
    FROM judged
    """


def _bad_identifier(name: str) -> str:
    return (
        f"{name} IS NULL OR length({name}) > 128"
        f" OR NOT regexp_full_match({name}, '{_IDENTIFIER}') OR contains({name}, '..')"
    )


def _bad_source() -> str:
    pattern = SOURCE_PATTERN.replace("'", "''")
    return (
        f"source IS NULL OR (source <> '{DEFAULT_SOURCE}' AND (length(source) > 256"
        f" OR NOT regexp_full_match(source, '{pattern}')))"
    )


def _column(name: str) -> str:
    return f'"{name}"'


def _given(name: str, columns: Mapping[str, str]) -> str:
    if name not in columns:
        return "false"
    blank = f" AND {_column(name)} <> ''" if columns[name] == "VARCHAR" else ""
    return f"({_column(name)} IS NOT NULL{blank})"


def _text(name: str, columns: Mapping[str, str], missing: str = "NULL") -> str:
    kind = columns.get(name)
    if kind is None:
        return f"{missing}::VARCHAR"
    if kind == "VARCHAR" or kind.startswith("ENUM"):
        return f"{_column(name)}::VARCHAR"
    return f"{_column(name)}::VARCHAR" if kind in _WHOLE else "NULL::VARCHAR"


def _source(columns: Mapping[str, str]) -> str:
    text = _text("source", columns)
    if "source" not in columns:
        return f"'{DEFAULT_SOURCE}'"
    return f"CASE WHEN {_given('source', columns)} THEN {text} ELSE '{DEFAULT_SOURCE}' END"


def _instant(name: str, columns: Mapping[str, str]) -> str:
    kind = columns.get(name, "")
    column = _column(name)
    if kind == "VARCHAR":
        return (
            f"CASE WHEN length({column}) < 48 AND regexp_full_match({column}, '{_INSTANT}')"
            f" THEN epoch_us(try_cast(upper({column}) AS TIMESTAMPTZ)) END"
        )
    if kind.startswith("TIMESTAMP") and ("ZONE" in kind or "TZ" in kind):
        moment = f"try_cast({column} AS TIMESTAMPTZ)"
        return f"CASE WHEN isfinite({moment}) THEN epoch_us({moment}) END"
    return "NULL::BIGINT"


def _arrival(columns: Mapping[str, str]) -> str:
    return _instant("ingested_at", columns) if "ingested_at" in columns else "NULL::BIGINT"


def _quantity(columns: Mapping[str, str]) -> str:
    kind, column = columns.get("quantity", ""), _column("quantity")
    if kind == "VARCHAR":
        return (
            f"CASE WHEN length({column}) <= 64 AND regexp_full_match({column}, '{_NUMBER}')"
            f" THEN try_cast(trim({column}) AS DOUBLE) END"
        )
    if kind in _WHOLE or kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        return f"{column}::DOUBLE"
    return "NULL::DOUBLE"


def raw_row(relation: str, columns: Mapping[str, str]) -> str:
    """SQL struct of a row's own values as short text, to show beside the reason of its reject."""
    fields = ", ".join(
        f"{_column(name)} := left(try_cast({relation}.{_column(name)} AS VARCHAR), 200)"
        for name in (*REQUIRED, *OPTIONAL)
        if name in columns
    )
    return f"struct_pack({fields})"
