"""The tables of ``standings.sqlite`` and the one statement that fills a row from the ledger.

The file is derived: another version of it is thrown away and filled again.
"""

from __future__ import annotations

from flyball.instant import DAY_US

#: Bumped when anything below changes.
VERSION = 4

#: Weeks of usage that the list's trend shows.
TREND_WEEKS = 12

#: A renewal is near from here on; a chance has risen or fallen from this difference on.
NEAR_RENEWAL_US = 60 * DAY_US
MOVED = 0.02

_STANDING = (
    # who
    "tenant_id TEXT PRIMARY KEY", "name TEXT", "owner TEXT", "plan TEXT", "plan_rank INTEGER",
    "segment TEXT", "region TEXT", "parent_org TEXT", "seats INTEGER", "mrr_minor INTEGER",
    "currency TEXT", "arr_minor REAL", "created_us INTEGER", "renewal_us INTEGER",
    "left_us INTEGER", "base_limit INTEGER", "contract_limit INTEGER", "per TEXT", "meter TEXT",
    "floor INTEGER", "search TEXT",
    # what was decided
    "decision_id TEXT", "decided_us INTEGER", "period_start_us INTEGER", "arm INTEGER",
    "assigned_arm INTEGER", "assignment TEXT", "reasons TEXT", "policy TEXT",
    "model_version TEXT", "arm_before INTEGER", "moved_us INTEGER",
    # what is predicted
    "churn REAL", "upgrade REAL", "scored_us INTEGER", "churn_factor TEXT", "upgrade_factor TEXT",
    "churn_before REAL", "upgrade_before REAL",
    # what people did
    "plan_change TEXT", "plan_change_us INTEGER", "override_kind TEXT", "override_author TEXT",
    "override_expires_us INTEGER", "touch TEXT", "touch_us INTEGER", "touch_author TEXT",
    "open_tasks INTEGER", "task_due_us INTEGER", "task_title TEXT", "urgent_tickets INTEGER",
    # in which order
    "attention REAL",
)  # fmt: skip
COLUMNS = tuple(column.split()[0] for column in _STANDING)

#: What lists filter, sort and add up by. A row is half a kilobyte; an index of these alone, already
#: in the order that lists have first, is read three times as fast, and no query may need another
#: column before it has chosen its rows.
FIGURES = (
    "left_us", "attention DESC", "tenant_id", "owner", "plan", "segment", "region", "plan_rank",
    "seats", "arr_minor", "churn", "upgrade", "arm", "churn_before", "upgrade_before",
    "arm_before", "decided_us", "moved_us", "renewal_us", "plan_change_us", "override_expires_us",
    "touch_us", "open_tasks", "task_due_us", "search",
)  # fmt: skip

DDL = f"""
CREATE TABLE standing ({", ".join(_STANDING)}) WITHOUT ROWID;
CREATE INDEX standing_choice ON standing (owner, plan, segment, region);
CREATE INDEX standing_figures ON standing ({", ".join(FIGURES)});
CREATE TABLE usage (
  tenant_id TEXT PRIMARY KEY, last_us INTEGER NOT NULL, weeks TEXT NOT NULL, trend REAL
) WITHOUT ROWID;
CREATE TABLE plan (
  plan TEXT PRIMARY KEY, rank INTEGER, price_minor REAL, currency TEXT, base INTEGER,
  contract INTEGER, per TEXT, meter TEXT
) WITHOUT ROWID;
CREATE TABLE rate (currency TEXT PRIMARY KEY, factor REAL) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""

#: Attention is money that may leave, weighed up by each thing that cannot wait. Kept in one place
#: with what the page says about it (``console/book/attention.py``).
_ATTENTION = f"""
coalesce(arr_minor, 0) * coalesce(churn, 0.01) * (1
  + 0.5 * coalesce(renewal_us BETWEEN :now AND :now + {NEAR_RENEWAL_US}, 0)
  + 0.5 * coalesce(churn - churn_before >= {MOVED}, 0)
  + 0.5 * (urgent_tickets > 0)
  + 0.5 * coalesce(task_due_us < :now, 0))
"""


def logged_by(intervention: str) -> str:
    """SQL for who logged the intervention under this alias; empty where nobody is on record.

    An intervention is of whoever had it, not of who wrote it down: that is in the audit trail only.
    """
    i = intervention
    return f"""coalesce((SELECT author FROM ledger.audit u WHERE u.target = {i}.tenant_id
      AND u.action = 'intervention.log' AND u.at_us = {i}.known_us
      AND json_extract(u.after, '$.kind') = {i}.kind
      AND json_extract(u.after, '$.timeUs') = {i}.time_us
      ORDER BY u.seq DESC LIMIT 1), '')"""


#: Fills ``standing`` for the tenants in ``temp.touched``. The ledger is attached as ``ledger``, the
#: explanations as ``why``; ``:now`` is the time that counts, ``fold(text)`` folds case.
FILL = f"""
INSERT OR REPLACE INTO standing
SELECT *, iif(left_us IS NOT NULL, -1, {_ATTENTION}) AS attention FROM (
SELECT
  a.tenant_id, a.name, a.owner, a.plan, pl.rank AS plan_rank, a.segment, a.region, a.parent_org,
  a.seats, a.mrr_minor, a.currency,
  12 * coalesce(a.mrr_minor * r.factor, iif(a.mrr_minor IS NULL, pl.price_minor * pr.factor, NULL))
    AS arr_minor,
  a.created_us, a.renewal_us, iif(s.kind = 'churned', s.time_us, NULL) AS left_us,
  coalesce(a.base_limit, pl.base) AS base_limit,
  min(coalesce(a.contract_limit, pl.contract), coalesce(a.base_limit, pl.base)) AS contract_limit,
  pl.per, pl.meter, coalesce(f.hundredths, 0) AS floor,
  fold(a.name || char(10) || a.tenant_id || char(10) || a.owner || char(10) || a.parent_org
    || char(10) || a.aliases) AS search,
  d.decision_id, d.decided_us, d.period_start_us, coalesce(c.served_arm, d.served_arm) AS arm,
  d.arm AS assigned_arm, d.assignment, coalesce(c.reasons, d.reasons) AS reasons, d.policy,
  d.model_version, p.served_arm AS arm_before,
  coalesce((SELECT min(at_us) FROM ledger.decision_change y WHERE y.decision_id = d.decision_id
      AND y.seq > coalesce(
        (SELECT max(seq) FROM ledger.decision_change z WHERE z.decision_id = d.decision_id
          AND z.served_arm <> c.served_arm),
        iif(d.served_arm = c.served_arm, c.seq, 0))),
    iif(p.served_arm IS NOT NULL AND p.served_arm <> d.served_arm, d.period_start_us, NULL)
  ) AS moved_us,
  coalesce(e.churn, d.churn_probability) AS churn,
  coalesce(e.upgrade, d.upgrade_probability) AS upgrade,
  coalesce(e.as_of_us, iif(d.churn_probability IS NULL, NULL, d.decided_us)) AS scored_us,
  coalesce(e.churn_factor, '') AS churn_factor, coalesce(e.upgrade_factor, '') AS upgrade_factor,
  p.churn_probability AS churn_before, p.upgrade_probability AS upgrade_before,
  g.kind AS plan_change, g.time_us AS plan_change_us,
  o.kind AS override_kind, o.author AS override_author, o.expires_us AS override_expires_us,
  t.what AS touch, t.at_us AS touch_us,
  iif(i.seq IS NULL, t.author, {logged_by("i")}) AS touch_author,
  coalesce(w.open_tasks, 0) AS open_tasks, w.due_us AS task_due_us, w.title AS task_title,
  (SELECT count(*) FROM ledger.ticket k WHERE k.tenant_id = a.tenant_id
    AND k.severity = 'urgent' AND k.opened_us <= :now
    AND (k.closed_us IS NULL OR k.closed_us > :now)
    AND k.version = (SELECT max(version) FROM ledger.ticket k2 WHERE k2.tenant_id = k.tenant_id
      AND k2.ticket_id = k.ticket_id)) AS urgent_tickets
FROM (
  SELECT x.tenant_id,
    (SELECT seq FROM ledger.account y WHERE y.tenant_id = x.tenant_id AND y.effective_us <= :now
      AND y.known_us <= :now ORDER BY effective_us DESC, version DESC LIMIT 1) AS account_seq,
    (SELECT seq FROM ledger.decision y WHERE y.tenant_id = x.tenant_id AND y.mode = 'live'
      AND y.period_start_us <= :now ORDER BY period_start_us DESC, decided_us DESC LIMIT 1)
      AS decision_seq
  FROM temp.touched x
) q
JOIN ledger.account a ON a.seq = q.account_seq
LEFT JOIN plan pl ON pl.plan = a.plan
LEFT JOIN rate r ON r.currency = a.currency
LEFT JOIN rate pr ON pr.currency = pl.currency
LEFT JOIN ledger.decision d ON d.seq = q.decision_seq
LEFT JOIN ledger.decision p ON p.seq = (
  SELECT seq FROM ledger.decision y WHERE y.tenant_id = a.tenant_id AND y.mode = 'live'
    AND y.period_start_us < d.period_start_us ORDER BY period_start_us DESC, decided_us DESC
    LIMIT 1)
LEFT JOIN ledger.decision_change c ON c.seq = (
  SELECT max(seq) FROM ledger.decision_change y WHERE y.decision_id = d.decision_id)
LEFT JOIN why.explanation e ON e.tenant_id = a.tenant_id AND e.decision_id = d.decision_id
LEFT JOIN why.floor f ON f.tenant_id = a.tenant_id
LEFT JOIN ledger.subscription s ON s.seq = (
  SELECT seq FROM ledger.subscription y WHERE y.tenant_id = a.tenant_id AND y.time_us <= :now
    ORDER BY time_us DESC, seq DESC LIMIT 1)
LEFT JOIN ledger.subscription g ON g.seq = (
  SELECT seq FROM ledger.subscription y WHERE y.tenant_id = a.tenant_id AND y.time_us <= :now
    AND y.kind IN ('upgraded', 'downgraded') ORDER BY time_us DESC, seq DESC LIMIT 1)
LEFT JOIN ledger.override o ON o.seq = (
  SELECT y.seq FROM ledger.override y LEFT JOIN ledger.override_end z ON z.override_seq = y.seq
    WHERE y.tenant_id = a.tenant_id AND z.seq IS NULL AND y.created_us <= :now
    AND y.expires_us > :now ORDER BY y.created_us DESC, y.seq DESC LIMIT 1)
LEFT JOIN (
  SELECT x.tenant_id, count(*) AS open_tasks, min(k.due_us) AS due_us,
    substr(min(printf('%020d', coalesce(k.due_us, 9e18)) || k.title), 21) AS title
  FROM temp.touched x JOIN ledger.task_now k ON k.tenant_id = x.tenant_id
  WHERE k.state = 'open' GROUP BY x.tenant_id
) w ON w.tenant_id = a.tenant_id
LEFT JOIN (
  SELECT tenant_id, max(at_us) AS at_us, what, author, contact FROM (
    SELECT x.tenant_id, i.time_us AS at_us, i.kind AS what, '' AS author, i.seq AS contact
      FROM temp.touched x JOIN ledger.intervention i ON i.tenant_id = x.tenant_id
    UNION ALL SELECT x.tenant_id, n.at_us, 'note', n.author, NULL
      FROM temp.touched x JOIN ledger.note_now n ON n.tenant_id = x.tenant_id
    UNION ALL SELECT x.tenant_id, v.created_us, 'override', v.author, NULL
      FROM temp.touched x JOIN ledger.override v ON v.tenant_id = x.tenant_id
    UNION ALL SELECT x.tenant_id, f.at_us, 'feedback', f.author, NULL
      FROM temp.touched x JOIN ledger.feedback f ON f.tenant_id = x.tenant_id
  ) GROUP BY tenant_id
) t ON t.tenant_id = a.tenant_id
LEFT JOIN ledger.intervention i ON i.seq = t.contact
)
"""

#: Tables of the ledger whose new rows touch the tenants they name.
TENANT_TABLES = (
    "account", "subscription", "intervention", "ticket", "decision", "decision_change", "override",
    "override_end", "note", "note_withdrawal", "task", "task_change", "feedback",
)  # fmt: skip

#: And those that change what holds for everybody.
GLOBAL_TABLES = ("plan", "setting")
