"""The tables of what people do in the console: one migration step of :mod:`ledger.schema`.

Users, sessions, failed sign-ins and saved views change in place; what was done to users is in the
audit. The others are only added to.
"""

from __future__ import annotations

TABLES = """
CREATE TABLE console_user (
  seq INTEGER PRIMARY KEY, user_id TEXT NOT NULL UNIQUE, login TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL, email TEXT NOT NULL, role TEXT NOT NULL, sees TEXT NOT NULL,
  password TEXT NOT NULL, subject TEXT, created_us INTEGER NOT NULL, disabled_us INTEGER
);
CREATE UNIQUE INDEX console_user_subject ON console_user (subject) WHERE subject IS NOT NULL;
CREATE TABLE console_session (
  sha256 BLOB PRIMARY KEY, user_id TEXT NOT NULL, csrf TEXT NOT NULL, created_us INTEGER NOT NULL,
  seen_us INTEGER NOT NULL, expires_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX console_session_user ON console_session (user_id);
CREATE TABLE sign_in_failure (
  seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, login TEXT NOT NULL, address TEXT NOT NULL
);
CREATE INDEX sign_in_failure_time ON sign_in_failure (at_us);
CREATE TABLE saved_view (
  seq INTEGER PRIMARY KEY, view_id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL,
  name TEXT NOT NULL, query TEXT NOT NULL, shared INTEGER NOT NULL, created_us INTEGER NOT NULL,
  UNIQUE (user_id, name)
);

CREATE TABLE note (
  seq INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, at_us INTEGER NOT NULL, author TEXT NOT NULL,
  text TEXT NOT NULL
);
CREATE INDEX note_tenant ON note (tenant_id, at_us);
CREATE TABLE note_withdrawal (
  seq INTEGER PRIMARY KEY, note_seq INTEGER NOT NULL UNIQUE, tenant_id TEXT NOT NULL,
  at_us INTEGER NOT NULL, author TEXT NOT NULL
);
CREATE TABLE task (
  seq INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, title TEXT NOT NULL, due_us INTEGER,
  assignee TEXT NOT NULL, author TEXT NOT NULL, created_us INTEGER NOT NULL
);
CREATE INDEX task_tenant ON task (tenant_id);
CREATE TABLE task_change (
  seq INTEGER PRIMARY KEY, task_seq INTEGER NOT NULL, tenant_id TEXT NOT NULL,
  at_us INTEGER NOT NULL, author TEXT NOT NULL, state TEXT NOT NULL, title TEXT NOT NULL,
  due_us INTEGER, assignee TEXT NOT NULL, comment TEXT NOT NULL
);
CREATE INDEX task_change_task ON task_change (task_seq, seq);
CREATE TABLE feedback (
  seq INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, decision_id TEXT NOT NULL,
  subject TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL, author TEXT NOT NULL,
  at_us INTEGER NOT NULL, model_version TEXT NOT NULL, probability REAL, served_arm INTEGER
);
CREATE INDEX feedback_tenant ON feedback (tenant_id, at_us);
CREATE TABLE override_request (
  seq INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, kind TEXT NOT NULL, arm INTEGER,
  reason TEXT NOT NULL, author TEXT NOT NULL, created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL
);
CREATE INDEX override_request_tenant ON override_request (tenant_id);
CREATE TABLE override_verdict (
  seq INTEGER PRIMARY KEY, request_seq INTEGER NOT NULL UNIQUE, tenant_id TEXT NOT NULL,
  approved INTEGER NOT NULL, author TEXT NOT NULL, reason TEXT NOT NULL, at_us INTEGER NOT NULL,
  override_seq INTEGER
);

-- A task as its latest change says.
CREATE VIEW task_now AS
  SELECT t.seq, t.tenant_id, coalesce(c.title, t.title) AS title,
    iif(c.seq IS NULL, t.due_us, c.due_us) AS due_us,
    coalesce(c.assignee, t.assignee) AS assignee, t.author, t.created_us,
    coalesce(c.state, 'open') AS state, coalesce(c.at_us, t.created_us) AS changed_us
  FROM task t LEFT JOIN task_change c
    ON c.seq = (SELECT max(seq) FROM task_change x WHERE x.task_seq = t.seq);
-- Notes that nobody has withdrawn.
CREATE VIEW note_now AS
  SELECT n.* FROM note n
  WHERE NOT EXISTS (SELECT 1 FROM note_withdrawal w WHERE w.note_seq = n.seq);
"""

#: Tables whose rows are never changed or removed.
KEPT = (
    "note", "note_withdrawal", "task", "task_change", "feedback", "override_request",
    "override_verdict",
)  # fmt: skip
