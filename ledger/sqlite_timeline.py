"""What happened to one tenant, newest first: one statement over the ledger's tables."""

from __future__ import annotations

from ledger.happening import Happening
from ledger.sqlite_base import SqlitePart

_SELECT = """
SELECT at_us, kind, what, text, author, arm FROM (
  SELECT decided_us AS at_us, 'decision' AS kind,
    coalesce(json_extract(reasons, '$[0]'), '') AS what, assignment AS text, '' AS author,
    served_arm AS arm
  FROM (SELECT *, lag(served_arm) OVER (ORDER BY period_start_us, decided_us) AS before
    FROM decision WHERE tenant_id = ?1 AND mode = 'live')
  WHERE before IS NULL OR before <> served_arm
  UNION ALL
  SELECT at_us, 'change', cause, coalesce(json_extract(reasons, '$[0]'), ''), author, served_arm
  FROM decision_change WHERE tenant_id = ?1
  UNION ALL
  SELECT decided_us, 'model', model_version, '', '', NULL
  FROM (SELECT *, lag(model_version) OVER (ORDER BY period_start_us, decided_us) AS before
    FROM decision WHERE tenant_id = ?1 AND mode = 'live')
  WHERE model_version <> '' AND coalesce(before, '') <> model_version
  UNION ALL
  SELECT time_us, 'outcome', kind, plan, '', NULL FROM subscription WHERE tenant_id = ?1
  UNION ALL
  SELECT time_us, 'intervention', kind, note, coalesce((SELECT author FROM audit
    WHERE target = ?1 AND action = 'intervention.log' AND at_us = known_us
    AND json_extract(after, '$.kind') = kind AND json_extract(after, '$.timeUs') = time_us
    ORDER BY seq DESC LIMIT 1), ''), NULL
  FROM intervention WHERE tenant_id = ?1
  UNION ALL
  SELECT opened_us, 'ticket', severity, ticket_id, '', NULL FROM ticket WHERE tenant_id = ?1
  AND version = (SELECT max(version) FROM ticket k WHERE k.ticket_id = ticket.ticket_id)
  UNION ALL
  SELECT created_us, 'override', kind, reason, author, arm FROM override WHERE tenant_id = ?1
  UNION ALL
  SELECT ended_us, 'override_end', '', reason, author, NULL FROM override_end WHERE tenant_id = ?1
  UNION ALL
  SELECT at_us, 'note', '', text, author, NULL FROM note_now WHERE tenant_id = ?1
  UNION ALL
  SELECT changed_us, 'task', state, title, author, NULL FROM task_now WHERE tenant_id = ?1
  UNION ALL
  SELECT at_us, 'feedback', verdict, reason, author, served_arm FROM feedback WHERE tenant_id = ?1
)
WHERE at_us <= ?2 ORDER BY at_us DESC, kind LIMIT ?3
"""


class SqliteTimeline(SqlitePart):
    """See :class:`ledger.store.TimelineStore`."""

    def happenings(self, tenant_id: str, *, now_us: int, most: int = 100) -> list[Happening]:
        """What happened up to ``now_us``, newest first, at most ``most`` lines.

        Decisions are told where the multiplier moved, models where the version did.
        """
        rows = self.file.rows(_SELECT, (tenant_id, now_us, most))
        return [Happening(*row) for row in rows]
