"""Experiments in SQLite: at most one runs at a time, and none starts by itself."""

from __future__ import annotations

import secrets
from typing import Any

from flyball.errors import Conflict, NotFound
from flyball.experiment import Experiment
from ledger.canonical import canonical_json
from ledger.people import ExperimentRun, check_said
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart

_SELECT = (
    "SELECT x.name, x.secret, x.epsilon, x.holdout_share, x.started_us, x.author, x.reason, "
    "s.stopped_us, s.author, s.reason, x.seq "
    "FROM experiment x LEFT JOIN experiment_stop s ON s.experiment_seq = x.seq"
)


class SqliteExperiments(SqlitePart):
    """See :class:`ledger.store.ExperimentStore`."""

    def start_experiment(
        self,
        name: str,
        *,
        epsilon: float,
        holdout_share: float,
        author: str,
        reason: str,
        now_us: int,
        secret: bytes | None = None,
    ) -> ExperimentRun:
        """Start an experiment. The first makes the home's secret, later ones keep it.

        ``secret`` (at least 16 bytes) replaces the generated one, for simulations that must be
        repeatable; an experiment after the first must not change it.

        Raises
        ------
        Conflict
            Another one is running, the name was used before, or the secret differs.
        """
        author, reason = check_said(author, field="author"), check_said(reason, field="reason")
        with self.file.writing() as connection:
            runs = [_run(row) for row in connection.execute(f"{_SELECT} ORDER BY x.seq")]
            _check_start(runs, name, secret)
            kept = runs[0].experiment.secret if runs else secret or secrets.token_bytes(32)
            experiment = Experiment(
                name=name, secret=kept, epsilon=epsilon, holdout_share=holdout_share
            )
            connection.execute(
                "INSERT INTO experiment (name, epsilon, holdout_share, secret, started_us, author, "
                "reason) VALUES (?,?,?,?,?,?,?)",
                (name, epsilon, holdout_share, kept, now_us, author, reason),
            )
            after = {"epsilon": epsilon, "holdoutShare": holdout_share}
            append_audit(
                connection, now_us, author, "experiment.start", name, reason=reason,
                after=canonical_json(after),
            )  # fmt: skip
        return ExperimentRun(experiment=experiment, started_us=now_us, author=author, reason=reason)

    def stop_experiment(self, *, author: str, now_us: int, reason: str = "") -> ExperimentRun:
        """Stop the running experiment; raises NotFound if none runs."""
        author = check_said(author, field="author")
        with self.file.writing() as connection:
            rows = connection.execute(f"{_SELECT} WHERE s.seq IS NULL").fetchall()
            if not rows:
                raise NotFound("No experiment is running.", "See flyball experiment status.")
            connection.execute(
                "INSERT INTO experiment_stop (experiment_seq, stopped_us, author, reason) "
                "VALUES (?,?,?,?)",
                (rows[0][-1], now_us, author, reason),
            )
            append_audit(connection, now_us, author, "experiment.stop", rows[0][0], reason=reason)
            return _run((*rows[0][:7], now_us, author, reason, rows[0][-1]))

    def experiments(self) -> list[ExperimentRun]:
        """Every experiment ever started, oldest first."""
        return [_run(row) for row in self.file.rows(f"{_SELECT} ORDER BY x.seq")]

    def experiment_as_of(self, as_of_us: int) -> Experiment | None:
        """The experiment that was running at ``as_of_us``; None if none was."""
        running = [
            run.experiment
            for run in self.experiments()
            if run.started_us <= as_of_us and (run.stopped_us is None or as_of_us < run.stopped_us)
        ]
        return running[-1] if running else None


def _check_start(runs: list[ExperimentRun], name: str, secret: bytes | None) -> None:
    for run in runs:
        if run.stopped_us is None:
            raise Conflict(
                f"Experiment {run.experiment.name} is running.",
                "Stop it first: flyball experiment stop.",
            )
        if run.experiment.name == name:
            raise Conflict(
                f"Experiment {name} was run before.",
                "Take another name: the name is part of every draw.",
            )
    if runs and secret is not None and secret != runs[0].experiment.secret:
        raise Conflict(
            "The secret differs from the one that chose the holdout.",
            "Leave it out: the holdout must stay the same tenants.",
        )


def _run(row: tuple[Any, ...]) -> ExperimentRun:
    return ExperimentRun(
        experiment=Experiment(name=row[0], secret=row[1], epsilon=row[2], holdout_share=row[3]),
        started_us=row[4],
        author=row[5],
        reason=row[6],
        stopped_us=row[7],
        stopped_by=row[8] or "",
        stop_reason=row[9] or "",
    )
