"""Decisions, their changes within a period, and the runs that made them, in SQLite."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec

from flyball.arm import NEUTRAL
from flyball.decision import Assignment, Decision, Mode
from ledger.canonical import fingerprint
from ledger.decision_change import ChangeCause, DecisionChange, DecisionRun
from ledger.records import ImportReport, Rejection
from ledger.sqlite_base import SqlitePart, among, chunks, name_list

_COLUMNS = (
    "decision_id", "tenant_id", "organisation", "mode", "assignment", "period_start_us",
    "period_days", "decided_us", "arm", "served_arm", "proposed_arm", "offered", "propensity",
    "reasons", "policy", "policy_version", "experiment", "model_version", "feature_hash",
    "base_limit", "contract_limit", "window_seconds", "upgrade_probability",
    "downgrade_probability", "churn_probability", "expected_dose", "continued",
    "marginal_propensity", "overdraft_requests",
)  # fmt: skip
_SELECT = f"SELECT {', '.join('d.' + name for name in _COLUMNS)} FROM decision d"
_INSERT = (
    f"INSERT INTO decision ({', '.join(_COLUMNS)}, fingerprint) "
    f"VALUES ({', '.join('?' * (len(_COLUMNS) + 1))}) ON CONFLICT (decision_id) DO NOTHING"
)
_ENCODE = msgspec.json.encode
_decode_arms = lru_cache(maxsize=4096)(msgspec.json.Decoder(dict[int, float]).decode)
_decode_words = lru_cache(maxsize=4096)(msgspec.json.Decoder(tuple[str, ...]).decode)


class SqliteDecisions(SqlitePart):
    """See :class:`ledger.store.DecisionStore`."""

    def append_decisions(self, decisions: Iterable[Decision]) -> int:
        """Log decisions; one that is logged already stays as it was. Returns how many were new."""
        added = 0
        for chunk in chunks(decisions):
            with self.file.writing() as connection:
                before = connection.total_changes()
                connection.executemany(_INSERT, [_values(decision) for _, decision in chunk])
                added += connection.total_changes() - before
        return added

    def import_decisions(self, records: Iterable[Decision]) -> ImportReport:
        """Add history; the same id with another tenant, time, arm or propensity is a conflict."""
        total = ImportReport()
        for chunk in chunks(records):
            with self.file.writing() as connection:
                total += _import_chunk(connection, chunk)
        return total

    def change_decisions(self, changes: Iterable[DecisionChange]) -> None:
        """Log moves within a period: safety exits, and what people did."""
        rows = [
            (
                change.decision_id, change.tenant_id, change.at_us, change.served_arm,
                change.cause.value, change.author, _ENCODE(change.reasons).decode(),
            )
            for change in changes
        ]  # fmt: skip
        with self.file.writing() as connection:
            connection.executemany(
                "INSERT INTO decision_change "
                "(decision_id, tenant_id, at_us, served_arm, cause, author, reasons) "
                "VALUES (?,?,?,?,?,?,?)",
                rows,
            )

    def decision_changes(self, decision_id: str) -> list[DecisionChange]:
        """Every move within the period of one decision, in order."""
        rows = self.file.rows(
            "SELECT decision_id, tenant_id, at_us, served_arm, cause, author, reasons "
            "FROM decision_change WHERE decision_id = ? ORDER BY seq",
            (decision_id,),
        )
        return [
            DecisionChange(
                decision_id=row[0], tenant_id=row[1], at_us=row[2], served_arm=row[3],
                cause=ChangeCause(row[4]), author=row[5], reasons=_decode_words(row[6]),
            )
            for row in rows
        ]  # fmt: skip

    def current_decisions(
        self,
        as_of_us: int,
        tenants: Collection[str] | None = None,
        *,
        since_us: int = 0,
        mode: Mode = Mode.LIVE,
    ) -> dict[str, Decision]:
        """Each tenant's latest decision that began and was made by ``as_of_us``, in tenant order.

        ``served_arm`` and ``reasons`` carry the changes logged by then. Decisions whose period
        began before ``since_us`` are left out.
        """
        condition, bindings = among("tenant_id", tenants)
        rows = self.file.rows(
            f"{_SELECT} JOIN (SELECT tenant_id, max(period_start_us) AS start_us FROM decision "
            f"WHERE {condition} AND mode = ? AND period_start_us BETWEEN ? AND ? "
            "AND decided_us <= ? GROUP BY tenant_id) last "
            "ON d.tenant_id = last.tenant_id AND d.mode = ? "
            "AND d.period_start_us = last.start_us WHERE d.decided_us <= ? "
            "ORDER BY d.tenant_id, d.decided_us, d.seq",
            (*bindings, mode.value, since_us, as_of_us, as_of_us, mode.value, as_of_us),
        )
        latest = {row[1]: _decision(row) for row in rows}
        served = self._served(as_of_us, since_us, tenants)
        for tenant_id, decision in latest.items():
            change = served.get(decision.decision_id)
            if change is not None:
                latest[tenant_id] = replace(decision, served_arm=change[0], reasons=change[1])
        return latest

    def _served(
        self, as_of_us: int, since_us: int, tenants: Collection[str] | None
    ) -> dict[str, tuple[int, tuple[str, ...]]]:
        condition, bindings = among("tenant_id", tenants)
        rows = self.file.rows(
            f"SELECT decision_id, served_arm, reasons FROM decision_change WHERE {condition} "
            "AND at_us BETWEEN ? AND ? ORDER BY at_us, seq",
            (*bindings, since_us, as_of_us),
        )
        return {row[0]: (row[1], _decode_words(row[2])) for row in rows}

    def decision(self, decision_id: str) -> Decision | None:
        """One decision as it was logged; None if there is none."""
        rows = self.file.rows(f"{_SELECT} WHERE d.decision_id = ?", (decision_id,))
        return _decision(rows[0]) if rows else None

    def decisions_named(self, names: Collection[str], *, as_of_us: int) -> list[Decision]:
        """The decisions with these ids, in order of id, as served at ``as_of_us``."""
        rows = self.file.rows(
            f"{_SELECT} WHERE d.decision_id IN (SELECT value FROM json_each(?)) "
            "ORDER BY d.decision_id",
            (name_list(names),),
        )
        changes = self.file.rows(
            "SELECT decision_id, served_arm, reasons FROM decision_change "
            "WHERE decision_id IN (SELECT value FROM json_each(?)) AND at_us <= ? ORDER BY seq",
            (name_list(names), as_of_us),
        )
        moved = {
            row[0]: {"served_arm": row[1], "reasons": _decode_words(row[2])} for row in changes
        }
        found = [_decision(row) for row in rows]
        return [replace(d, **moved.get(d.decision_id, {})) for d in found]

    def decision_history(
        self, tenant_id: str, *, limit: int = 52, mode: Mode = Mode.LIVE
    ) -> list[Decision]:
        """The latest decisions of one tenant as logged, newest first."""
        rows = self.file.rows(
            f"{_SELECT} WHERE d.tenant_id = ? AND d.mode = ? "
            "ORDER BY d.period_start_us DESC, d.seq DESC LIMIT ?",
            (tenant_id, mode.value, limit),
        )
        return [_decision(row) for row in rows]

    def tightened_tenants(self, from_us: int, to_us: int) -> frozenset[str]:
        """Tenants assigned less than 100 in a live period that began in [from_us, to_us).

        Decisions without a model behind them do not count: imported ones, and those of an
        experiment before the first bundle.
        """
        if from_us >= to_us:
            # Every decision would be read to find nobody.
            return frozenset()
        rows = self.file.rows(
            "SELECT DISTINCT tenant_id FROM decision WHERE mode = ? AND arm < ? "
            "AND model_version <> '' AND period_start_us >= ? AND period_start_us < ?",
            (Mode.LIVE.value, NEUTRAL, from_us, to_us),
        )
        return frozenset(row[0] for row in rows)

    def decision_counts(self) -> dict[str, int]:
        """Mode to number of decisions logged."""
        return dict(self.file.rows("SELECT mode, count(*) FROM decision GROUP BY mode"))

    def record_run(self, run: DecisionRun) -> None:
        """Log that a pass over tenants finished."""
        with self.file.writing() as connection:
            connection.execute(
                "INSERT INTO decision_run (as_of_us, finished_us, mode, tenants, duration_ms, "
                "policy, bundle_version) VALUES (?,?,?,?,?,?,?)",
                (
                    run.as_of_us, run.finished_us, run.mode.value, run.tenants, run.duration_ms,
                    run.policy, run.bundle_version,
                ),
            )  # fmt: skip

    def last_run(self, mode: Mode = Mode.LIVE) -> DecisionRun | None:
        """The latest finished pass; None if there was none."""
        rows = self.file.rows(
            "SELECT as_of_us, finished_us, mode, tenants, duration_ms, policy, bundle_version "
            "FROM decision_run WHERE mode = ? ORDER BY seq DESC LIMIT 1",
            (mode.value,),
        )
        if not rows:
            return None
        row = rows[0]
        return DecisionRun(
            as_of_us=row[0], finished_us=row[1], mode=Mode(row[2]), tenants=row[3],
            duration_ms=row[4], policy=row[5], bundle_version=row[6],
        )  # fmt: skip


def _arms(shares: Mapping[int, float]) -> str:
    return _ENCODE(dict(sorted(shares.items()))).decode()


def _identity(decision: Decision) -> int:
    return fingerprint(
        decision.tenant_id, decision.period_start_us, decision.period_days, decision.arm,
        float(decision.propensity), sorted(decision.offered.items()), decision.policy,
    )  # fmt: skip


def _values(decision: Decision) -> tuple[Any, ...]:
    dose = decision.expected_dose
    return (
        decision.decision_id, decision.tenant_id, decision.organisation, decision.mode.value,
        decision.assignment.value, decision.period_start_us, decision.period_days,
        decision.decided_us, decision.arm, decision.served_arm, decision.proposed_arm,
        _arms(decision.offered), float(decision.propensity),
        _ENCODE(decision.reasons).decode() if decision.reasons else "[]",
        decision.policy, decision.policy_version, decision.experiment, decision.model_version,
        decision.feature_hash, decision.base_limit, decision.contract_limit,
        decision.window_seconds, decision.upgrade_probability, decision.downgrade_probability,
        decision.churn_probability, None if dose is None else _arms(dose), decision.continued,
        decision.marginal_propensity, float(decision.overdraft_requests), _identity(decision),
    )  # fmt: skip


def _decision(row: tuple[Any, ...]) -> Decision:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["mode"] = Mode(row[3])
    values["assignment"] = Assignment(row[4])
    values["offered"] = dict(_decode_arms(row[11]))
    values["reasons"] = _decode_words(row[13])
    values["expected_dose"] = None if row[25] is None else dict(_decode_arms(row[25]))
    values["continued"] = bool(row[26])
    return Decision(**values)


def _import_chunk(connection: Any, chunk: list[tuple[int, Decision]]) -> ImportReport:
    held: dict[str, int] = dict(
        connection.execute(
            "SELECT decision_id, fingerprint FROM decision "
            "WHERE decision_id IN (SELECT value FROM json_each(?))",
            (name_list(decision.decision_id for _, decision in chunk),),
        ).fetchall()
    )
    inserts: list[tuple[Any, ...]] = []
    conflicts: list[Rejection] = []
    duplicates = 0
    for index, decision in chunk:
        values = _values(decision)
        known = held.get(decision.decision_id)
        if known is None:
            held[decision.decision_id] = values[-1]
            inserts.append(values)
        elif known == values[-1]:
            duplicates += 1
        else:
            reason = f"decision {decision.decision_id} exists already with other content."
            conflicts.append(Rejection(index=index, code="conflict", reason=reason))
    connection.executemany(_INSERT, inserts)
    return ImportReport(accepted=len(inserts), duplicates=duplicates, conflicts=tuple(conflicts))
