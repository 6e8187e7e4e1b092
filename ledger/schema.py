"""The ledger's tables, as numbered migrations. Released steps are never edited, only added to.

Every record is appended: what was true, and what was known, stays readable as of any time. What
changes in place and nothing else: ``alias`` (who a name belongs to now), a token's ``revoked_us``,
what became of a webhook message, which goes once it is old, who holds a ``lease``, and who may
sign in to the console and has (:mod:`ledger.console_tables`). Triggers make the history
tables refuse updates and deletes.
"""

from __future__ import annotations

from ledger import console_tables

_STEP_1 = """
CREATE TABLE plan (
  seq INTEGER PRIMARY KEY, plan TEXT NOT NULL, version INTEGER NOT NULL,
  effective_us INTEGER NOT NULL, known_us INTEGER NOT NULL, content TEXT NOT NULL,
  UNIQUE (plan, version)
);
CREATE TABLE account (
  seq INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, version INTEGER NOT NULL,
  effective_us INTEGER NOT NULL, known_us INTEGER NOT NULL, plan TEXT NOT NULL,
  created_us INTEGER NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL, region TEXT NOT NULL,
  segment TEXT NOT NULL, parent_org TEXT NOT NULL, seats INTEGER, mrr_minor INTEGER,
  currency TEXT NOT NULL, renewal_us INTEGER, base_limit INTEGER, contract_limit INTEGER,
  aliases TEXT NOT NULL
);
CREATE UNIQUE INDEX account_order ON account (tenant_id, effective_us, version);
CREATE TABLE alias (alias TEXT PRIMARY KEY, tenant_id TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX alias_tenant ON alias (tenant_id);

CREATE TABLE subscription (
  seq INTEGER PRIMARY KEY, subscription_id TEXT NOT NULL UNIQUE, tenant_id TEXT NOT NULL,
  time_us INTEGER NOT NULL, known_us INTEGER NOT NULL, kind TEXT NOT NULL, plan TEXT NOT NULL,
  mrr_minor INTEGER
);
CREATE INDEX subscription_order ON subscription (tenant_id, time_us);
CREATE VIEW outcome AS
  SELECT tenant_id, time_us, known_us, kind, plan, mrr_minor FROM subscription
  WHERE kind IN ('upgraded', 'downgraded', 'churned');
CREATE TABLE intervention (
  seq INTEGER PRIMARY KEY, fingerprint INTEGER NOT NULL UNIQUE, tenant_id TEXT NOT NULL,
  time_us INTEGER NOT NULL, known_us INTEGER NOT NULL, kind TEXT NOT NULL, note TEXT NOT NULL
);
CREATE INDEX intervention_order ON intervention (tenant_id, time_us);
CREATE TABLE ticket (
  seq INTEGER PRIMARY KEY, ticket_id TEXT NOT NULL, version INTEGER NOT NULL,
  tenant_id TEXT NOT NULL, opened_us INTEGER NOT NULL, known_us INTEGER NOT NULL,
  severity TEXT NOT NULL, closed_us INTEGER, UNIQUE (ticket_id, version)
);
CREATE INDEX ticket_tenant ON ticket (tenant_id, ticket_id, version);
CREATE TABLE incident (
  seq INTEGER PRIMARY KEY, incident_id TEXT NOT NULL, version INTEGER NOT NULL,
  from_us INTEGER NOT NULL, known_us INTEGER NOT NULL, scope_kind TEXT NOT NULL,
  scope TEXT NOT NULL, to_us INTEGER, UNIQUE (incident_id, version)
);

CREATE TABLE decision (
  seq INTEGER PRIMARY KEY, decision_id TEXT NOT NULL UNIQUE, fingerprint INTEGER NOT NULL,
  tenant_id TEXT NOT NULL, organisation TEXT NOT NULL, mode TEXT NOT NULL,
  assignment TEXT NOT NULL, period_start_us INTEGER NOT NULL, period_days INTEGER NOT NULL,
  decided_us INTEGER NOT NULL, arm INTEGER NOT NULL, served_arm INTEGER NOT NULL,
  proposed_arm INTEGER NOT NULL, offered TEXT NOT NULL, propensity REAL NOT NULL,
  reasons TEXT NOT NULL, policy TEXT NOT NULL, policy_version TEXT NOT NULL,
  experiment TEXT NOT NULL, model_version TEXT NOT NULL, feature_hash TEXT NOT NULL,
  base_limit INTEGER, contract_limit INTEGER, window_seconds INTEGER, upgrade_probability REAL,
  downgrade_probability REAL, churn_probability REAL, expected_dose TEXT,
  continued INTEGER NOT NULL, marginal_propensity REAL, overdraft_requests REAL NOT NULL
);
CREATE INDEX decision_order ON decision (tenant_id, mode, period_start_us, decided_us);
CREATE TABLE decision_change (
  seq INTEGER PRIMARY KEY, decision_id TEXT NOT NULL, tenant_id TEXT NOT NULL,
  at_us INTEGER NOT NULL, served_arm INTEGER NOT NULL, cause TEXT NOT NULL,
  author TEXT NOT NULL, reasons TEXT NOT NULL
);
CREATE INDEX decision_change_of ON decision_change (decision_id, seq);
CREATE INDEX decision_change_tenant ON decision_change (tenant_id, at_us);
CREATE TABLE decision_run (
  seq INTEGER PRIMARY KEY, as_of_us INTEGER NOT NULL, finished_us INTEGER NOT NULL,
  mode TEXT NOT NULL, tenants INTEGER NOT NULL, duration_ms REAL NOT NULL,
  policy TEXT NOT NULL, bundle_version TEXT NOT NULL
);

CREATE TABLE override (
  seq INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, kind TEXT NOT NULL, arm INTEGER,
  reason TEXT NOT NULL, author TEXT NOT NULL, created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL
);
CREATE INDEX override_tenant ON override (tenant_id);
CREATE TABLE override_end (
  seq INTEGER PRIMARY KEY, override_seq INTEGER NOT NULL UNIQUE, tenant_id TEXT NOT NULL,
  ended_us INTEGER NOT NULL, author TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE experiment (
  seq INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epsilon REAL NOT NULL,
  holdout_share REAL NOT NULL, secret BLOB NOT NULL,
  started_us INTEGER NOT NULL, author TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE experiment_stop (
  seq INTEGER PRIMARY KEY, experiment_seq INTEGER NOT NULL UNIQUE, stopped_us INTEGER NOT NULL,
  author TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE setting (
  seq INTEGER PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, content TEXT NOT NULL,
  known_us INTEGER NOT NULL, author TEXT NOT NULL, reason TEXT NOT NULL, UNIQUE (name, version)
);
CREATE TABLE kill_event (
  seq INTEGER PRIMARY KEY, engaged INTEGER NOT NULL, at_us INTEGER NOT NULL,
  author TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE token (
  seq INTEGER PRIMARY KEY, token_id TEXT NOT NULL UNIQUE, sha256 BLOB NOT NULL UNIQUE,
  name TEXT NOT NULL, role TEXT NOT NULL, created_us INTEGER NOT NULL, author TEXT NOT NULL,
  expires_us INTEGER, revoked_us INTEGER
);
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, author TEXT NOT NULL, action TEXT NOT NULL,
  target TEXT NOT NULL, reason TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL
);
CREATE INDEX audit_target ON audit (target, seq);
"""

#: Tables of step 1 whose rows are never changed or removed.
_KEPT_1 = (
    "plan", "account", "subscription", "intervention", "ticket", "incident", "decision",
    "decision_change", "decision_run", "override", "override_end", "experiment",
    "experiment_stop", "setting", "kill_event", "audit",
)  # fmt: skip

#: What people must be told, messages waiting for their webhook, and what a challenger would do.
_STEP_2 = """
CREATE TABLE notice (
  seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, severity TEXT NOT NULL, subject TEXT NOT NULL,
  message TEXT NOT NULL, author TEXT NOT NULL, at_us INTEGER NOT NULL
);
CREATE TABLE notice_end (
  seq INTEGER PRIMARY KEY, notice_seq INTEGER NOT NULL UNIQUE, ended_us INTEGER NOT NULL,
  author TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE webhook_message (
  seq INTEGER PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
  body TEXT NOT NULL, created_us INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
  due_us INTEGER NOT NULL, delivered_us INTEGER, given_up_us INTEGER,
  last_error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX webhook_message_due ON webhook_message (due_us)
  WHERE delivered_us IS NULL AND given_up_us IS NULL;

CREATE TABLE shadow_decision (
  seq INTEGER PRIMARY KEY, decision_id TEXT NOT NULL, tenant_id TEXT NOT NULL,
  organisation TEXT NOT NULL, segment TEXT NOT NULL, at_us INTEGER NOT NULL,
  period_start_us INTEGER NOT NULL, period_days INTEGER NOT NULL, policy TEXT NOT NULL,
  policy_version TEXT NOT NULL, champion_version TEXT NOT NULL, challenger_version TEXT NOT NULL,
  served_arm INTEGER NOT NULL, champion_arm INTEGER NOT NULL, challenger_arm INTEGER NOT NULL,
  champion TEXT NOT NULL, challenger TEXT NOT NULL, champion_reason TEXT NOT NULL,
  challenger_reason TEXT NOT NULL,
  UNIQUE (decision_id, champion_version, challenger_version)
);
CREATE INDEX shadow_decision_of ON shadow_decision (challenger_version, period_start_us);
CREATE TABLE shadow_run (
  seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, champion_version TEXT NOT NULL,
  challenger_version TEXT NOT NULL, tenants INTEGER NOT NULL, duration_ms REAL NOT NULL,
  scoring_ms REAL NOT NULL
);
"""
_KEPT_2 = ("notice", "notice_end", "shadow_decision", "shadow_run")

#: Who may publish now; the row changes in place, its epoch only grows.
_STEP_3 = """
CREATE TABLE lease (
  name TEXT PRIMARY KEY, holder TEXT NOT NULL, epoch INTEGER NOT NULL, expires_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER lease_epoch_grows BEFORE UPDATE ON lease WHEN new.epoch < old.epoch
  OR (new.epoch = old.epoch AND new.holder <> old.holder)
  BEGIN SELECT RAISE(ABORT, 'a lease goes on to another holder under a larger epoch only'); END;
CREATE TRIGGER lease_no_delete BEFORE DELETE ON lease
  BEGIN SELECT RAISE(ABORT, 'a lease is never forgotten'); END;
"""

#: Tables whose rows are never changed or removed.
APPEND_ONLY = (*_KEPT_1, *_KEPT_2, *console_tables.KEPT)


def _guarded(tables: tuple[str, ...]) -> str:
    """Triggers that refuse updates and deletes."""
    return "".join(
        f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;\n"
        for table in tables
        for verb in ("update", "delete")
    )


#: Step n brings a ledger from ``user_version`` n-1 to n.
MIGRATIONS: tuple[str, ...] = (
    _STEP_1 + _guarded(_KEPT_1),
    _STEP_2 + _guarded(_KEPT_2),
    _STEP_3,
    console_tables.TABLES + _guarded(console_tables.KEPT),
)

SCHEMA_VERSION = len(MIGRATIONS)
