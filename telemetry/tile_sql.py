"""SQL that folds raw events into hour tiles and hour tiles into day tiles.

Reads ``raw_usage`` (tenant_id, meter, time_us, arrived_us, quantity), ``limit_span`` (tenant_id,
meter, from_hour, to_hour, base_limit, window_seconds) and ``meter_kind`` (meter, counts,
resolution_seconds); see ``docs/reference/data-model.md`` for what comes out.

Sums are taken over whole steps (2**-10 of a unit, 2**-20 of a share) as integers, so that they are
exact and independent of order.
"""

from __future__ import annotations

#: Lower edges of the share bins above bin 0.
EDGES = (0.70, 0.85, 1.00, 1.15, 1.30, 1.60, 2.00)
BINS = len(EDGES) + 1

#: Steps per unit of quantity and per unit of share.
UNIT_STEPS = 1_024
SHARE_STEPS = 1_048_576

#: A window's share is cut here: a million times the limit says as much as more would.
MAX_SHARE = 1_048_576.0

_HOUR_US = 3_600_000_000

#: Time and steps packed into one HUGEINT: the largest is the most recent, ties go to the larger.
_LAST = 1 << 61

KEY = "tenant_id, meter, event_hour, arrival_hour"


def _bin(share: str) -> str:
    return "(" + " + ".join(f"({share} >= {edge})::INTEGER" for edge in EDGES) + ")"


def _share_aggregates() -> str:
    counts = ", ".join(f"count(*) FILTER (bin = {i}) AS c{i}" for i in range(BINS))
    sums = ", ".join(
        f"coalesce(sum(steps) FILTER (bin = {i}), 0)::HUGEINT AS s{i}" for i in range(BINS)
    )
    return f"count(*) AS windows, max(share) AS peak, {counts}, {sums}"


#: Quantities become whole steps; arrival never lies before the event.
EVENT = f"""
CREATE OR REPLACE TEMP TABLE event AS
SELECT tenant_id, meter, time_us, time_us // {_HOUR_US} AS event_hour,
       greatest(arrived_us, time_us) // {_HOUR_US} AS arrival_hour,
       quantity, CAST(round(quantity * {UNIT_STEPS}) AS BIGINT) AS units
FROM raw_usage
"""

#: Where a source counts what was let through, what was blocked is demand of its meter too.
BLOCKED = """
INSERT INTO event
SELECT e.tenant_id, l.meter, e.time_us, e.event_hour, e.arrival_hour, e.quantity, e.units
FROM event AS e
JOIN limit_span AS l ON l.tenant_id = e.tenant_id
    AND e.event_hour >= l.from_hour AND e.event_hour < l.to_hour
JOIN meter_kind AS k ON k.meter = l.meter AND k.counts = 'accepted'
WHERE e.meter = 'api.blocked' AND l.meter <> 'api.blocked'
"""

#: Windows shorter than an hour, seen through events that are no longer than a window.
FINE_WINDOWS = f"""
CREATE OR REPLACE TEMP TABLE fine AS
WITH demand AS (
    SELECT e.tenant_id, e.meter, e.event_hour, e.arrival_hour, l.base_limit,
           sum(e.units)::DOUBLE AS units
    FROM event AS e
    JOIN limit_span AS l ON l.tenant_id = e.tenant_id AND l.meter = e.meter
        AND e.event_hour >= l.from_hour AND e.event_hour < l.to_hour AND l.window_seconds < 3600
    JOIN meter_kind AS k ON k.meter = e.meter AND k.resolution_seconds <= l.window_seconds
    GROUP BY e.tenant_id, e.meter, e.event_hour, e.arrival_hour, l.base_limit,
             e.time_us // (l.window_seconds * 1000000)
), shared AS (
    SELECT {KEY}, least(units / {UNIT_STEPS} / base_limit, {MAX_SHARE}) AS share
    FROM demand WHERE units > 0
), binned AS (
    SELECT {KEY}, share, {_bin("share")} AS bin,
           CAST(round(share * {SHARE_STEPS}) AS BIGINT) AS steps
    FROM shared
)
SELECT {KEY}, {_share_aggregates()}, 0::BIGINT AS coarse FROM binned GROUP BY {KEY}
"""


def _below(edge: float) -> str:
    """How many of a span's active windows (ranked from ``low`` to ``high``) lie below ``edge``."""
    return (
        f"CASE WHEN high <= low THEN CASE WHEN low < {edge} THEN active ELSE 0 END"
        f" ELSE greatest(0, least(active,"
        f" ceil(active * ({edge} - low) / (high - low) - 0.5)))::BIGINT END"
    )


def _coarse_bins() -> str:
    edges = [f"b{i}" for i in range(BINS - 1)]
    lower = ["0", *edges]
    upper = [*edges, "active"]
    counts = ", ".join(
        f"sum({b} - {a})::BIGINT AS c{i}" for i, (a, b) in enumerate(zip(lower, upper, strict=True))
    )
    sums = ", ".join(
        f"sum(CAST(round({SHARE_STEPS} * (({b} - {a}) * low + (high - low) / active"
        f" * ({b} * {b} - {a} * {a}) / 2.0)) AS BIGINT))::HUGEINT AS s{i}"
        for i, (a, b) in enumerate(zip(lower, upper, strict=True))
    )
    return f"{counts}, {sums}"


#: Events longer than a window hide the windows: those are estimated and marked.
#:
#: A span of n windows with mean share mu and busiest share p is taken as k active windows whose
#: shares rise evenly from ``low`` to ``high`` around their mean: all n active if p <= 2 mu, else
#: as many as keep the mean with ``low`` = 0. Without a known peak, p = 2 mu. The busiest minute's
#: excess over the mean shrinks with the square root of the window's length in minutes.
#:
#: The steps are materialised: inlined into each other their expressions grow exponentially.
COARSE_WINDOWS = f"""
CREATE OR REPLACE TEMP TABLE coarse AS
WITH span AS (
    SELECT e.tenant_id, e.meter, e.event_hour, e.arrival_hour, l.base_limit, l.window_seconds,
           e.time_us // (k.resolution_seconds * 1000000) AS span,
           greatest(1, k.resolution_seconds // l.window_seconds) AS n,
           sum(e.units)::DOUBLE / {UNIT_STEPS} AS total
    FROM event AS e
    JOIN limit_span AS l ON l.tenant_id = e.tenant_id AND l.meter = e.meter
        AND e.event_hour >= l.from_hour AND e.event_hour < l.to_hour AND l.window_seconds <= 3600
    JOIN meter_kind AS k ON k.meter = e.meter AND k.resolution_seconds > l.window_seconds
    GROUP BY ALL HAVING sum(e.units) > 0
), peak AS (
    SELECT tenant_id, event_hour, arrival_hour, max(quantity) AS minute_peak
    FROM event WHERE meter = 'api.requests.peak' GROUP BY ALL
), shaped AS MATERIALIZED (
    SELECT s.*, total / n / base_limit AS mu, sqrt(window_seconds / 60.0) AS root,
           p.minute_peak * window_seconds / 60.0 / base_limit AS stretched
    FROM span AS s LEFT JOIN peak AS p ON s.meter = 'api.requests' AND p.tenant_id = s.tenant_id
        AND p.event_hour = s.event_hour AND p.arrival_hour = s.arrival_hour
), peaked AS MATERIALIZED (
    SELECT *, CASE WHEN stretched IS NULL THEN 2 * mu
                   ELSE least(greatest(mu, mu + (stretched - mu) / root), mu * n) END AS p
    FROM shaped
), activated AS MATERIALIZED (
    SELECT *, CASE WHEN p <= 2 * mu THEN n
                   ELSE greatest(1, least(n, round(2 * mu * n / p)))::BIGINT END AS active
    FROM peaked
), ranged AS MATERIALIZED (
    SELECT {KEY}, active, p, mu * n / active AS middle,
           least(greatest(0.0, 2 * mu * n / active - p), mu * n / active) AS low
    FROM activated
), ranked AS MATERIALIZED (
    SELECT {KEY}, active, least(greatest(p, middle), {MAX_SHARE}) AS peak,
           least(low, {MAX_SHARE}) AS low, least(2 * middle - low, {MAX_SHARE}) AS high
    FROM ranged
), cut AS MATERIALIZED (
    SELECT *, {", ".join(f"{_below(edge)} AS b{i}" for i, edge in enumerate(EDGES))} FROM ranked
)
SELECT {KEY}, sum(active)::BIGINT AS windows, max(peak) AS peak, {_coarse_bins()},
       sum(active)::BIGINT AS coarse
FROM cut GROUP BY {KEY}
"""


#: What one hour tile knows without looking inside the hour. A limit per hour has the tile itself
#: as its one window.
HOUR_CORE = f"""
CREATE OR REPLACE TEMP TABLE hour_core AS
WITH folded AS (
    SELECT {KEY}, count(*) AS event_count, sum(units) AS units, max(quantity) AS quantity_max,
           max(time_us::HUGEINT * {_LAST} + units) AS last
    FROM event GROUP BY {KEY}
), shared AS (
    SELECT f.*, CASE WHEN f.units > 0 AND l.base_limit IS NOT NULL
        THEN least(f.units::DOUBLE / {UNIT_STEPS} / l.base_limit, {MAX_SHARE}) END AS share
    FROM folded AS f
    LEFT JOIN (
        SELECT l.* FROM limit_span AS l JOIN meter_kind AS k USING (meter)
        WHERE l.window_seconds = 3600 AND k.resolution_seconds <= 3600
    ) AS l ON l.tenant_id = f.tenant_id AND l.meter = f.meter
        AND f.event_hour >= l.from_hour AND f.event_hour < l.to_hour
)
SELECT *, CASE WHEN share IS NOT NULL THEN {_bin("share")} END AS bin,
       CAST(round(share * {SHARE_STEPS}) AS BIGINT) AS steps
FROM shared
"""


def _own(value: str, bin_index: int) -> str:
    return f"CASE WHEN w.bin = {bin_index} THEN {value} ELSE 0 END"


def _hour_bins() -> str:
    counts = ", ".join(
        f"coalesce(s.c{i}, {_own('1', i)})::BIGINT AS share_count_{i}" for i in range(BINS)
    )
    sums = ", ".join(
        f"coalesce(s.s{i}, {_own('w.steps', i)})::DOUBLE / {SHARE_STEPS} AS share_sum_{i}"
        for i in range(BINS)
    )
    return f"{counts}, {sums}"


_ESTIMATED_SUM = " + ".join(f"s.s{i}" for i in range(BINS))

USAGE_HOUR = f"""
CREATE OR REPLACE TEMP TABLE hour_tile AS
WITH estimated AS (
    SELECT * FROM fine UNION ALL BY NAME SELECT * FROM coarse
)
SELECT w.tenant_id, w.meter, w.event_hour, w.arrival_hour, w.event_count,
       w.units::DOUBLE / {UNIT_STEPS} AS quantity_sum, w.quantity_max,
       w.units::DOUBLE / {UNIT_STEPS} AS hour_peak, (w.last // {_LAST})::BIGINT AS last_at_us,
       (w.last % {_LAST})::DOUBLE / {UNIT_STEPS} AS last_value,
       1::BIGINT AS active_hours,
       coalesce(s.windows, (w.bin IS NOT NULL)::BIGINT) AS window_count,
       coalesce({_ESTIMATED_SUM}, w.steps, 0)::DOUBLE / {SHARE_STEPS} AS share_sum,
       coalesce(s.peak, w.share, 0.0) AS share_peak,
       {_hour_bins()},
       coalesce(s.coarse, 0) AS coarse_count
FROM hour_core AS w
LEFT JOIN estimated AS s ON s.tenant_id = w.tenant_id AND s.meter = w.meter
    AND s.event_hour = w.event_hour AND s.arrival_hour = w.arrival_hour
"""


def _day_bins() -> str:
    counts = ", ".join(
        f"(w.c{i} + coalesce(s.c{i}, 0))::BIGINT AS share_count_{i}" for i in range(BINS)
    )
    sums = ", ".join(
        f"(w.s{i} + coalesce(s.s{i}, 0))::DOUBLE / {SHARE_STEPS} AS share_sum_{i}"
        for i in range(BINS)
    )
    return f"{counts}, {sums}"


_DAY = "tenant_id, meter, event_hour // 24 AS event_day, arrival_hour // 24 AS arrival_day"

_DAY_GROUP = "GROUP BY tenant_id, meter, event_hour // 24, arrival_hour // 24"

#: An hour's peak is that of one hour tile: what arrived for an hour within one hour.
USAGE_DAY = f"""
CREATE OR REPLACE TEMP TABLE day_tile AS
WITH folded AS (
    SELECT {_DAY}, sum(event_count)::BIGINT AS event_count, sum(units) AS units,
           max(quantity_max) AS quantity_max, max(units) AS hour_peak, max(last) AS last,
           bit_count(bit_or(1 << (event_hour % 24)::INTEGER))::BIGINT AS active_hours,
           count(bin) AS windows, max(share) AS peak,
           {", ".join(f"count(*) FILTER (bin = {i}) AS c{i}" for i in range(BINS))},
           {", ".join(f"coalesce(sum(steps) FILTER (bin = {i}), 0) AS s{i}" for i in range(BINS))}
    FROM hour_core {_DAY_GROUP}
), estimated AS (
    SELECT {_DAY}, sum(windows)::BIGINT AS windows, max(peak) AS peak,
           {", ".join(f"sum(c{i})::BIGINT AS c{i}, sum(s{i}) AS s{i}" for i in range(BINS))},
           sum(coarse)::BIGINT AS coarse
    FROM (SELECT * FROM fine UNION ALL BY NAME SELECT * FROM coarse) {_DAY_GROUP}
)
SELECT w.tenant_id, w.meter, w.event_day, w.arrival_day, w.event_count,
       w.units::DOUBLE / {UNIT_STEPS} AS quantity_sum, w.quantity_max,
       w.hour_peak::DOUBLE / {UNIT_STEPS} AS hour_peak, (w.last // {_LAST})::BIGINT AS last_at_us,
       (w.last % {_LAST})::DOUBLE / {UNIT_STEPS} AS last_value, w.active_hours,
       w.windows + coalesce(s.windows, 0) AS window_count,
       ({_ESTIMATED_SUM.replace("s.s", "w.s")} + coalesce({_ESTIMATED_SUM}, 0))::DOUBLE
           / {SHARE_STEPS} AS share_sum,
       greatest(coalesce(s.peak, 0.0), coalesce(w.peak, 0.0)) AS share_peak,
       {_day_bins()},
       coalesce(s.coarse, 0) AS coarse_count
FROM folded AS w
LEFT JOIN estimated AS s ON s.tenant_id = w.tenant_id AND s.meter = w.meter
    AND s.event_day = w.event_day AND s.arrival_day = w.arrival_day
"""

_VALUES = (
    "event_count quantity_sum quantity_max hour_peak last_at_us last_value active_hours"
    " window_count share_sum share_peak "
    + " ".join(f"share_count_{i}" for i in range(BINS))
    + " "
    + " ".join(f"share_sum_{i}" for i in range(BINS))
    + " coarse_count"
).split()

HOUR_COLUMNS = ("tenant_id", "meter", "event_hour", "arrival_hour", *_VALUES)
DAY_COLUMNS = ("tenant_id", "meter", "event_day", "arrival_day", *_VALUES)


def column_type(name: str) -> str:
    """DuckDB type of a tile column."""
    if name in ("tenant_id", "meter"):
        return "VARCHAR"
    if name in ("quantity_sum", "quantity_max", "hour_peak", "last_value", "share_peak"):
        return "DOUBLE"
    return "DOUBLE" if name.startswith("share_sum") else "BIGINT"


def empty_relation(columns: tuple[str, ...]) -> str:
    """SQL of a relation with ``columns`` and no rows."""
    typed = ", ".join(f"NULL::{column_type(name)} AS {name}" for name in columns)
    return f"SELECT {typed} WHERE false"


_NO_WINDOWS = f"""
CREATE OR REPLACE TEMP TABLE {{name}} AS
SELECT {KEY}, 0::BIGINT AS windows, 0.0::DOUBLE AS peak,
       {", ".join(f"0::BIGINT AS c{i}, 0::HUGEINT AS s{i}" for i in range(BINS))},
       0::BIGINT AS coarse
FROM event WHERE false
"""


def statements(*, accepted: bool, fine: bool, coarse: bool) -> tuple[str, ...]:
    """The fold's statements in order.

    Parameters
    ----------
    accepted:
        Some meter counts only what was let through.
    fine:
        Some limit's window is shorter than an hour and seen whole.
    coarse:
        Some limit's window is shorter than its meter's events.
    """
    return (
        EVENT,
        *((BLOCKED,) if accepted else ()),
        FINE_WINDOWS if fine else _NO_WINDOWS.format(name="fine"),
        COARSE_WINDOWS if coarse else _NO_WINDOWS.format(name="coarse"),
        HOUR_CORE,
    )
