"""Plans in SQLite: versioned, never overwritten."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from flyball.instant import EARLIEST_US
from flyball.limit import limit_document
from flyball.plan import Plan, plan_from
from ledger.canonical import canonical_json
from ledger.records import ImportReport, PlanEntry, Put
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart


class SqlitePlans(SqlitePart):
    """See :class:`ledger.store.PlanStore`."""

    def put_plan(self, entry: PlanEntry, *, now_us: int, author: str = "") -> Put:
        """Add a version of a plan unless the one in force says the same.

        The first version of a plan without ``effective_us`` holds since ever; later ones hold from
        ``now_us``. It is known from ``now_us``, but a first version from its effective time.
        """
        with self.file.writing() as connection:
            put, before, after = _put(connection, entry, now_us)
            if put.created and author:
                name = entry.plan.plan
                append_audit(
                    connection, now_us, author, "plan.put", name, before=before, after=after
                )
        return put

    def import_plans(self, entries: Iterable[PlanEntry], *, now_us: int) -> ImportReport:
        """Add many at once; content that a plan had at that time already is a duplicate."""
        accepted = duplicates = 0
        with self.file.writing() as connection:
            for entry in entries:
                created = _put(connection, entry, now_us)[0].created
                accepted += created
                duplicates += not created
        return ImportReport(accepted=accepted, duplicates=duplicates)

    def plans_as_of(self, as_of_us: int) -> dict[str, Plan]:
        """Every plan as it was known to be at ``as_of_us``."""
        found = self.file.rows(
            "SELECT plan, content FROM plan WHERE effective_us <= ?1 AND known_us <= ?1 "
            "ORDER BY effective_us, version",
            (as_of_us,),
        )
        return {plan: plan_from(msgspec.json.decode(text)) for plan, text in dict(found).items()}


def plan_content(plan: Plan) -> str:
    """Canonical JSON in the form of ``plans.json``."""
    return canonical_json(
        {
            "plan": plan.plan,
            "rank": plan.rank,
            "monthly_price_minor": plan.monthly_price_minor,
            "currency": plan.currency,
            "primary_meter": plan.primary_meter,
            "limits": {meter: limit_document(limit) for meter, limit in plan.limits.items()},
            "entitlements": dict(plan.entitlements),
        }
    )


def _put(connection: Any, entry: PlanEntry, now_us: int) -> tuple[Put, str, str]:
    name, after = entry.plan.plan, plan_content(entry.plan)
    versions: list[tuple[int, int, str]] = connection.execute(
        "SELECT effective_us, version, content FROM plan WHERE plan = ? "
        "ORDER BY effective_us, version",
        (name,),
    ).fetchall()
    effective_us = entry.effective_us
    if effective_us is None:
        effective_us = now_us if versions else EARLIEST_US
        # The same file again is the same plan, whatever happened to it in between.
        same = [v for v in versions if v[2] == after and v[0] == EARLIEST_US]
    else:
        same = [v for v in versions if v[2] == after and v[0] == effective_us]
    in_force = [v for v in versions if v[0] <= effective_us][-1:]
    same += [v for v in in_force if v[2] == after]
    if same:
        return Put(version=same[-1][1], created=False), after, after
    version = 1 + max((v[1] for v in versions), default=0)
    connection.execute(
        "INSERT INTO plan (plan, version, effective_us, known_us, content) VALUES (?,?,?,?,?)",
        (name, version, effective_us, now_us if versions else effective_us, after),
    )
    return Put(version=version, created=True), in_force[-1][2] if in_force else "", after
