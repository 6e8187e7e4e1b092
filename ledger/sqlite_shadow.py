"""Shadow decisions in SQLite."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from flyball.instant import DAY_US
from ledger.shadow import MaturedShadow, Said, ShadowCost, ShadowDecision, ShadowRun
from ledger.sqlite_base import SqlitePart, chunks

_COLUMNS = (
    "decision_id", "tenant_id", "organisation", "segment", "at_us", "period_start_us",
    "period_days", "policy", "policy_version", "served_arm", "champion_version",
    "challenger_version", "champion_arm", "challenger_arm", "champion_reason",
    "challenger_reason", "champion", "challenger",
)  # fmt: skip
_INSERT = (
    f"INSERT INTO shadow_decision ({', '.join(_COLUMNS)}) "
    f"VALUES ({', '.join('?' * len(_COLUMNS))}) "
    "ON CONFLICT (decision_id, champion_version, challenger_version) DO NOTHING"
)
#: The first outcome after the period's start and not after its end.
_OUTCOME = (
    "(SELECT s.kind FROM subscription s WHERE s.tenant_id = d.tenant_id "
    "AND s.kind IN ('upgraded', 'downgraded', 'churned') AND s.time_us > d.period_start_us "
    f"AND s.time_us <= d.period_start_us + d.period_days * {DAY_US} "
    "ORDER BY s.time_us, s.kind = 'churned' DESC, s.kind = 'downgraded' DESC LIMIT 1)"
)


class _Figures(msgspec.Struct, array_like=True):
    upgrade: float | None
    downgrade: float | None
    churn: float | None
    advantage_minor: float | None
    others_minor: float | None


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(_Figures).decode


class SqliteShadow(SqlitePart):
    """See :class:`ledger.store.ShadowStore`."""

    def append_shadow(self, decisions: Iterable[ShadowDecision], run: ShadowRun) -> int:
        """Log what a challenger says; a decision logged for the pair already stays as it was.

        Returns how many were new.
        """
        added = 0
        for chunk in chunks(decisions):
            with self.file.writing() as connection:
                before = connection.total_changes()
                connection.executemany(_INSERT, [_values(each) for _, each in chunk])
                added += int(connection.total_changes() - before)
        with self.file.writing() as connection:
            connection.execute(
                "INSERT INTO shadow_run (at_us, champion_version, challenger_version, tenants, "
                "duration_ms, scoring_ms) VALUES (?,?,?,?,?,?)",
                (
                    run.at_us, run.champion_version, run.challenger_version, run.tenants,
                    run.duration_ms, run.scoring_ms,
                ),
            )  # fmt: skip
        return added

    def shadow_decisions(
        self, challenger_version: str, *, now_us: int, since_us: int = 0
    ) -> list[MaturedShadow]:
        """What was logged for a challenger, with what became of it where the period is over."""
        rows = self.file.rows(
            f"SELECT {', '.join('d.' + name for name in _COLUMNS)}, "
            f"iif(d.period_start_us + d.period_days * {DAY_US} <= ?1, coalesce({_OUTCOME}, ''), "
            "NULL) FROM shadow_decision d WHERE challenger_version = ?2 AND period_start_us >= ?3 "
            "ORDER BY d.period_start_us, d.tenant_id, d.seq",
            (now_us, challenger_version, since_us),
        )
        return [(_shadow(row), row[-1]) for row in rows]

    def shadow_cost(self, challenger_version: str, *, since_us: int = 0) -> ShadowCost:
        """What shadowing a challenger has cost."""
        row = self.file.rows(
            "SELECT coalesce(sum(tenants), 0), coalesce(sum(duration_ms), 0.0), "
            "coalesce(sum(scoring_ms), 0.0) FROM shadow_run "
            "WHERE challenger_version = ? AND at_us >= ?",
            (challenger_version, since_us),
        )[0]
        return ShadowCost(tenants=row[0], duration_ms=row[1], scoring_ms=row[2])

    def shadow_challengers(self) -> list[str]:
        """Versions that something was logged for, the latest first."""
        rows = self.file.rows(
            "SELECT challenger_version FROM shadow_run GROUP BY 1 ORDER BY max(seq) DESC"
        )
        return [row[0] for row in rows]


def _values(each: ShadowDecision) -> tuple[Any, ...]:
    champion, challenger = each.champion, each.challenger
    return (
        each.decision_id, each.tenant_id, each.organisation, each.segment, each.at_us,
        each.period_start_us, each.period_days, each.policy, each.policy_version,
        each.served_arm, champion.version, challenger.version, champion.arm, challenger.arm,
        champion.reason, challenger.reason, _figures(champion), _figures(challenger),
    )  # fmt: skip


def _figures(said: Said) -> str:
    figures = _Figures(
        said.upgrade, said.downgrade, said.churn, said.advantage_minor, said.others_minor
    )
    return _encode(figures).decode()


def _shadow(row: tuple[Any, ...]) -> ShadowDecision:
    return ShadowDecision(
        decision_id=row[0],
        tenant_id=row[1],
        organisation=row[2],
        segment=row[3],
        at_us=row[4],
        period_start_us=row[5],
        period_days=row[6],
        policy=row[7],
        policy_version=row[8],
        served_arm=row[9],
        champion=_said(row[10], row[12], row[14], row[16]),
        challenger=_said(row[11], row[13], row[15], row[17]),
    )


def _said(version: str, arm: int, reason: str, figures: str) -> Said:
    read = _decode(figures)
    return Said(
        version=version,
        arm=arm,
        reason=reason,
        upgrade=read.upgrade,
        downgrade=read.downgrade,
        churn=read.churn,
        advantage_minor=read.advantage_minor,
        others_minor=read.others_minor,
    )
