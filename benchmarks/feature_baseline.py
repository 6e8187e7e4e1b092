"""The hand-written competitor of P3: DuckDB SQL from raw events to the same features.

Written for this one case (one as-of midnight, limits per minute, one account version each), with
everything DuckDB offers: FILTER, arg_max, integer keys, one pass over the events where possible.
It may skip what the product must keep (arrival versions, other windows, many as-of times).
"""

from __future__ import annotations


def baseline_sql(events: str, as_of_day: int) -> str:
    """SQL of the feature table as of ``as_of_day``'s midnight.

    Parameters
    ----------
    events:
        Relation with tenant_id, meter, time_us, arrived_us and quantity.
    """
    return _SQL.replace("{events}", events).replace("{day}", str(as_of_day))


def _log(name: str) -> str:
    return f"ln(1 + coalesce({name}, 0))"


def _change(now: str, before: str) -> str:
    whole = f"({now} + {before})"
    return f"CASE WHEN {whole} > 0 THEN ({now} - {before}) / {whole} END"


_EDGES = (70, 85, 100, 115, 130)

_WINDOWS = f"""
    count(*) FILTER (age <= 7) AS windows_7, count(*) FILTER (age <= 28) AS windows_28,
    sum(share) FILTER (age <= 7) AS share_7, sum(share) FILTER (age <= 28) AS share_28,
    max(share) FILTER (age <= 7) AS peak_7, max(share) FILTER (age <= 28) AS peak_28,
    count(*) FILTER (age <= 28 AND share >= 1) AS at_limit,
    count(*) FILTER (age <= 28 AND share >= 0.7 AND share < 1) AS near_limit,
    {
    ", ".join(
        f"sum(share - {e / 100}) FILTER (age <= 28 AND share >= {e / 100}) AS over_{e}"
        for e in _EDGES
    )
},
    count(DISTINCT age) FILTER (age <= 28 AND share >= 1) AS limit_days
"""

_SQL = f"""
WITH seen AS (
    SELECT s.rowid AS tid, e.meter, e.time_us, e.quantity, {{day}} - e.time_us // 86400000000 AS age
    FROM {{events}} AS e JOIN spine AS s USING (tenant_id)
    WHERE e.time_us >= ({{day}} - 30) * 86400000000 AND e.time_us < {{day}} * 86400000000
      AND e.arrived_us < {{day}} * 86400000000
), limits AS (
    SELECT s.rowid AS tid, a.base_limit FROM spine AS s JOIN account AS a USING (tenant_id)
), minutes AS (
    SELECT tid, time_us // 60000000 AS minute, any_value(age) AS age, sum(quantity) AS demand
    FROM seen WHERE meter = 'api.requests' GROUP BY tid, time_us // 60000000
), shares AS (
    SELECT tid, {_WINDOWS}
    FROM (SELECT m.tid, m.age, m.demand / l.base_limit AS share
          FROM minutes AS m JOIN limits AS l USING (tid) WHERE m.demand > 0)
    GROUP BY tid
), hourly AS (
    SELECT tid, any_value(age) AS age, sum(demand) AS demand FROM minutes GROUP BY tid, minute // 60
), demand_day AS (
    SELECT tid, age, sum(demand) AS demand, max(demand) AS hour_peak, count(*) AS hours
    FROM hourly GROUP BY tid, age
), event_day AS (
    SELECT tid, age, coalesce(sum(quantity) FILTER (meter = 'api.blocked'), 0) AS blocked,
        coalesce(sum(quantity) FILTER (meter = 'logins'), 0) AS logins,
        max(time_us) AS last_us
    FROM seen WHERE meter IN ('api.requests', 'api.blocked', 'logins') GROUP BY tid, age
), day AS (
    SELECT e.*, coalesce(d.demand, 0) AS demand, coalesce(d.hour_peak, 0) AS hour_peak,
        coalesce(d.hours, 0) AS hours,
        row_number() OVER (PARTITION BY e.tid ORDER BY (e.age <= 28) DESC, d.demand DESC NULLS LAST)
            AS place
    FROM event_day AS e LEFT JOIN demand_day AS d USING (tid, age)
), demand AS (
    SELECT tid,
        sum(demand) FILTER (age <= 1) AS sum_1, sum(demand) FILTER (age <= 7) AS sum_7,
        sum(demand) FILTER (age <= 28) AS sum_28,
        coalesce(sum(demand) FILTER (age BETWEEN 8 AND 14), 0) AS sum_14,
        coalesce(sum(demand) FILTER (age BETWEEN 15 AND 21), 0) AS sum_21,
        sum(demand * (14.5 - age)) FILTER (age <= 28) AS moment,
        max(demand) FILTER (place = 2 AND age <= 28) AS second,
        max(hour_peak) FILTER (age <= 28) AS hour_peak, max(hour_peak) FILTER (age = 1) AS peak_1,
        max(demand) FILTER (age = 1) AS top_1,
        avg(ln(1 + hour_peak)) FILTER (age BETWEEN 2 AND 28 AND demand > 0) AS usual_peak_log,
        avg(ln(1 + demand)) FILTER (age BETWEEN 2 AND 28 AND demand > 0) AS usual_demand_log,
        sum(hours) FILTER (age <= 28) AS hours,
        sum(blocked) FILTER (age <= 7) AS blocked_7, sum(blocked) FILTER (age <= 28) AS blocked_28,
        count(*) FILTER (age <= 28 AND blocked > 0) AS blocked_days,
        sum(logins) FILTER (age <= 7) AS logins_7, sum(logins) FILTER (age <= 28) AS logins_28,
        count(*) FILTER (age <= 7 AND (demand > 0 OR logins > 0)) AS active_7,
        count(*) FILTER (age <= 28 AND (demand > 0 OR logins > 0)) AS active_28,
        max(last_us) AS last_us,
        {
    ", ".join(
        f"coalesce(sum(demand) FILTER (age <= 28 AND age % 7 = {i}), 0) AS w{i}" for i in range(7)
    )
}
    FROM day GROUP BY tid
), other AS (
    SELECT tid,
        sum(quantity) FILTER (meter = 'exports' AND age <= 28) AS exports,
        sum(quantity) FILTER (meter = 'ai.tokens' AND age <= 28) AS ai_tokens,
        sum(quantity) FILTER (meter = 'db.reads' AND age <= 28) AS db_reads,
        max(quantity) FILTER (meter = 'workflows.concurrent' AND age <= 28) AS workflows,
        arg_max(floor(quantity), time_us) FILTER (meter = 'seats.active' AND age <= 28)
            AS seats_active,
        arg_max(floor(quantity), time_us) FILTER (meter = 'integrations.active' AND age <= 28)
            AS integrations,
        arg_max(floor(quantity), time_us) FILTER (meter = 'storage.bytes' AND age <= 28) AS storage,
        arg_max(floor(quantity), time_us) FILTER (meter = 'storage.bytes' AND age BETWEEN 21 AND 28)
            AS storage_before
    FROM seen WHERE meter NOT IN ('api.requests', 'api.blocked', 'logins') GROUP BY tid
), past AS (
    SELECT s.rowid AS tid,
        avg(arm / 100) FILTER (start_hour >= ({{day}} - 28) * 24) AS arm_mean,
        arg_max(arm / 100, start_hour) AS arm_last,
        avg((arm < 100)::INTEGER) FILTER (start_hour >= ({{day}} - 28) * 24) AS tightened,
        {{day}} - max(start_hour) FILTER (arm < 100) / 24 AS since_friction
    FROM decision JOIN spine AS s USING (tenant_id)
    WHERE start_hour < {{day}} * 24 AND start_hour >= ({{day}} - 84) * 24 GROUP BY s.rowid
), help AS (
    SELECT s.rowid AS tid,
        count(*) FILTER (closed_hour IS NULL OR closed_hour >= {{day}} * 24) AS tickets_open,
        count(*) FILTER (opened_hour >= ({{day}} - 28) * 24) AS tickets_28,
        count(*) FILTER (opened_hour >= ({{day}} - 28) * 24 AND severity = 'urgent') AS urgent_28
    FROM ticket JOIN spine AS s USING (tenant_id) WHERE opened_hour < {{day}} * 24 GROUP BY s.rowid
), moves AS (
    SELECT s.rowid AS tid, count(*) FILTER (kind = 'upgraded') AS upgrades,
        count(*) FILTER (kind = 'downgraded') AS downgrades,
        {{day}} - max(event_hour) FILTER (kind IN ('upgraded', 'downgraded')) / 24 AS changed
    FROM subscription JOIN spine AS s USING (tenant_id)
    WHERE event_hour < {{day}} * 24 GROUP BY s.rowid
)
SELECT s.tenant_id, a.base_limit, a.contract_limit, a.mrr,
    {", ".join(f"coalesce(over_{e}, 0) / share_28 AS blocked_{e}" for e in _EDGES)},
    share_7 / windows_7 AS share_mean_7d, share_28 / windows_28 AS share_mean_28d,
    peak_7 AS share_peak_7d, peak_28 AS share_peak_28d,
    at_limit / windows_28 AS windows_over_limit_28d,
    near_limit / windows_28 AS windows_near_limit_28d,
    {_log("second")} AS demand_p95_28d, hour_peak / (sum_28 / 28 / 24) AS burst_ratio_28d,
    coalesce(peak_1, 0) / (exp(usual_peak_log) - 1) AS spike_hour_ratio,
    coalesce(top_1, 0) / (exp(usual_demand_log) - 1) AS spike_day_ratio,
    coalesce(hours, 0) / 28 AS active_hours_28d,
    {_log("sum_1")} AS demand_sum_1d, {_log("sum_7 / 7")} AS demand_mean_7d,
    {_log("sum_28 / 28")} AS demand_mean_28d,
    moment / 1827 / (sum_28 / 28) AS demand_slope_28d,
    {_change("sum_7 / 7", "sum_14 / 7")} AS demand_week_on_week,
    {_change("sum_7", "sum_14")} - {_change("sum_14", "sum_21")} AS demand_acceleration,
    (greatest(w0, w1, w2, w3, w4, w5, w6) - least(w0, w1, w2, w3, w4, w5, w6)) / (sum_28 / 7)
        AS weekday_strength_28d,
    share_mean_7d - share_mean_28d AS share_change_7d,
    greatest(share_mean_28d * (1 + 28 * demand_slope_28d), 0) AS share_projected_28d,
    CASE WHEN sum_7 > 0 THEN coalesce(blocked_7, 0) / sum_7 END AS blocked_share_7d,
    coalesce(blocked_28, 0) / sum_28 AS blocked_share_28d,
    coalesce(blocked_days, 0) AS days_blocked_28d, coalesce(limit_days, 0) AS days_at_limit_28d,
    arm_mean AS arm_mean_28d, arm_last, tightened AS tightened_share_28d,
    since_friction AS days_since_friction,
    coalesce(active_7, 0) / 7 AS active_days_7d, coalesce(active_28, 0) / 28 AS active_days_28d,
    {{day}} - last_us / 86400000000 AS days_since_event,
    seats_active, seats_active / a.seats AS seat_share, coalesce(logins_28, 0) / 28 AS logins_28d,
    {_change("coalesce(logins_7, 0) / 7", "coalesce(logins_28, 0) / 28")} AS logins_change,
    integrations AS integrations_active, {_log("exports / 28")} AS exports_28d,
    {_log("ai_tokens / 28")} AS ai_tokens_28d, {_log("db_reads / 28")} AS db_reads_28d,
    coalesce(workflows, 0) AS workflows_peak_28d,
    {_change("storage", "storage_before")} AS storage_growth_28d,
    {{day}} - a.created_hour / 24 AS tenure_days, p.rank AS plan_rank,
    ln(1 + p.price) AS plan_price,
    ln(1 + a.mrr) AS mrr_log, a.renewal_hour / 24 - {{day}} AS renewal_days,
    coalesce(upgrades, 0) AS upgrades, coalesce(downgrades, 0) AS downgrades,
    changed AS plan_change_days, coalesce(tickets_open, 0) AS tickets_open,
    coalesce(tickets_28, 0) AS tickets_28d, coalesce(urgent_28, 0) AS tickets_urgent_28d
FROM spine AS s
LEFT JOIN account AS a USING (tenant_id) LEFT JOIN plan AS p USING (plan)
LEFT JOIN shares ON shares.tid = s.rowid LEFT JOIN demand ON demand.tid = s.rowid
LEFT JOIN other ON other.tid = s.rowid LEFT JOIN past ON past.tid = s.rowid
LEFT JOIN help ON help.tid = s.rowid LEFT JOIN moves ON moves.tid = s.rowid
ORDER BY s.tenant_id
"""
