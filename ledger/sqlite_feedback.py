"""Feedback on scores in SQLite."""

from __future__ import annotations

from ledger.canonical import canonical_json
from ledger.follow_up import Feedback, Subject, Verdict
from ledger.prose import check_prose
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart

_COLUMNS = (
    "seq, tenant_id, decision_id, subject, verdict, reason, author, at_us, model_version, "
    "probability, served_arm"
)


class SqliteFeedback(SqlitePart):
    """See :class:`ledger.follow_up_store.FeedbackStore`."""

    def add_feedback(
        self,
        tenant_id: str,
        subject: Subject,
        verdict: Verdict,
        *,
        reason: str,
        author: str,
        now_us: int,
        decision_id: str,
        model_version: str,
        probability: float | None,
        served_arm: int | None,
    ) -> Feedback:
        """Keep what somebody says about a score, beside the score; the reason is mandatory."""
        reason = check_prose(reason, field="reason")
        row = (
            tenant_id, decision_id, subject.value, verdict.value, reason, author, now_us,
            model_version, probability, served_arm,
        )  # fmt: skip
        with self.file.writing() as connection:
            connection.execute(
                "INSERT INTO feedback (tenant_id, decision_id, subject, verdict, reason, author, "
                "at_us, model_version, probability, served_arm) VALUES (?,?,?,?,?,?,?,?,?,?)",
                row,
            )
            seq = int(connection.last_insert_rowid())
            append_audit(
                connection, now_us, author, "feedback.add", tenant_id, reason=reason,
                after=canonical_json({"subject": subject, "verdict": verdict}),
            )  # fmt: skip
        return Feedback(
            feedback_id=seq, tenant_id=tenant_id, decision_id=decision_id, subject=subject,
            verdict=verdict, reason=reason, author=author, at_us=now_us,
            model_version=model_version, probability=probability, served_arm=served_arm,
        )  # fmt: skip

    def feedback(self, *, since_us: int = 0) -> list[Feedback]:
        """All feedback from ``since_us`` on, oldest first."""
        rows = self.file.rows(
            f"SELECT {_COLUMNS} FROM feedback WHERE at_us >= ? ORDER BY seq", (since_us,)
        )
        return [
            Feedback(
                feedback_id=row[0], tenant_id=row[1], decision_id=row[2], subject=Subject(row[3]),
                verdict=Verdict(row[4]), reason=row[5], author=row[6], at_us=row[7],
                model_version=row[8], probability=row[9], served_arm=row[10],
            )
            for row in rows
        ]  # fmt: skip
