"""One row per row of the spine, with the account and the plan in force and known by then."""

from __future__ import annotations

from typing import Any

import ibis

from features.definitions.portable import real
from features.definitions.relations.stages import Stages
from features.definitions.relations.tables import table

#: What chooses a version; nobody needs it afterwards.
_TIMES = ("tenant_id", "as_of_hour", "effective_hour", "known_hour", "version")

#: Account columns that are completed rather than taken as they are.
_COMPLETED = ("organisation", "primary_meter", "mrr", "seats")


def _latest(versions: Any) -> Any:
    """Of the versions of each subject the one in force: latest effective, then known, version."""
    order = [
        ibis.desc("effective_hour"),
        ibis.desc("version"),
        ibis.desc("known_hour"),
    ]
    newest = ibis.row_number().over(ibis.window(group_by="sid", order_by=order))
    ranked = versions.mutate(newest=newest)
    return ranked.filter(ranked.newest == 0).select(*_except(versions, _TIMES))


def _except(table: Any, names: tuple[str, ...]) -> list[str]:
    """Column names without ``names``: not every engine can leave columns out of a star."""
    return [name for name in table.columns if name not in names]


def _spine() -> Any:
    spine = table("spine")
    key = ibis.row_number().over(ibis.window(order_by=["tenant_id", "as_of_hour"]))
    return spine.mutate(
        sid=key,
        as_of_day=spine.as_of_hour // 24,
        day_part=real(spine.as_of_hour % 24) / 24.0,
    )


def _known(versions: Any) -> Any:
    return versions.filter(
        lambda row: (row.effective_hour < row.as_of_hour) & (row.known_hour < row.as_of_hour)
    )


def _accounts(spine: Any) -> Any:
    keys = spine.select("sid", "tenant_id", "as_of_hour")
    return _latest(_known(keys.join(table("account"), "tenant_id")))


def _plans(accounts: Any, spine: Any) -> Any:
    wanted = accounts.select("sid", "plan").join(spine.select("sid", "as_of_hour"), "sid")
    return _latest(_known(wanted.join(table("plan"), "plan"))).select("sid", "rank", "price")


def subject(stages: Stages) -> Any:
    """Columns of the spine, the account and the plan; ``sid`` numbers the rows."""
    spine = stages.add("numbered_spine", _spine())
    accounts = stages.add("account_then", _accounts(spine))
    plans = stages.add("plan_then", _plans(accounts, spine))
    joined = spine.left_join(accounts, spine.sid == accounts.sid, rname="{name}_of_account")
    joined = joined.left_join(plans, spine.sid == plans.sid, rname="{name}_of_plan")
    full = joined.select(
        spine,
        *(accounts[name] for name in _except(accounts, ("sid", *_COMPLETED))),
        organisation=ibis.coalesce(accounts.organisation, spine.tenant_id),
        primary_meter=ibis.coalesce(accounts.primary_meter, ""),
        mrr=ibis.coalesce(accounts.mrr, plans.price),
        seats=real(accounts.seats),
        rank=real(plans["rank"]),
        price=plans.price,
    )
    return stages.add("subject", full)
