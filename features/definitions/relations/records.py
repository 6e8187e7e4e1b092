"""The ledger's records that a subject's as-of time can see, each with its age in hours."""

from __future__ import annotations

from typing import Any

import ibis

from features.definitions.portable import real, when
from features.definitions.relations.stages import Stages
from features.definitions.relations.tables import table

#: Decisions older than this many days are forgotten (twelve weekly periods).
DECISION_DAYS = 84
_BUCKET_HOURS = 96 * 24


def _seen(relation: Any, subject: Any, hour: str) -> Any:
    """Rows whose own and known hours lie before the as-of hour, with ``hours_ago``."""
    met = relation.join(subject.select("sid", "tenant_id", "as_of_hour"), "tenant_id")
    met = met.filter(lambda row: (row[hour] < row.as_of_hour) & (row.known_hour < row.as_of_hour))
    return met.mutate(hours_ago=met.as_of_hour - met[hour])


def decisions(subject: Any, stages: Stages) -> Any:
    """Live decisions that started in the last 84 days."""
    made = table("decision").filter(lambda row: row.mode == "live")
    made = made.mutate(bucket=made.start_hour // _BUCKET_HOURS)
    keys = subject.select("sid", "tenant_id", "as_of_hour")
    here = keys.mutate(bucket=keys.as_of_hour // _BUCKET_HOURS)
    before = keys.mutate(bucket=keys.as_of_hour // _BUCKET_HOURS - 1)
    wanted = stages.add("decision_bucket", ibis.union(here, before))
    met = made.join(wanted, ["tenant_id", "bucket"]).filter(
        lambda row: (
            (row.start_hour < row.as_of_hour)
            & (row.known_hour < row.as_of_hour)
            & (row.start_hour >= row.as_of_hour - DECISION_DAYS * 24)
        )
    )
    return met.mutate(hours_ago=met.as_of_hour - met.start_hour)


def tickets(subject: Any, stages: Stages) -> Any:
    """Tickets opened before the as-of time; ``open`` as it was then."""
    met = _seen(table("ticket"), subject, "opened_hour")
    return met.mutate(open=met.closed_hour.isnull() | (met.closed_hour >= met.as_of_hour))


def interventions(subject: Any, stages: Stages) -> Any:
    """What people did for the tenant."""
    return _seen(table("intervention"), subject, "event_hour")


def changes(subject: Any, stages: Stages) -> Any:
    """Subscription events."""
    return _seen(table("subscription"), subject, "event_hour")


def incidents(subject: Any, stages: Stages) -> Any:
    """Incidents that touched the tenant; ``hours`` of overlap with the last 28 days."""
    keys = subject.select("sid", "as_of_hour", "tenant_id", "region")
    everyone = keys.select(
        "sid", "as_of_hour", scope_kind=ibis.literal("all"), key=ibis.literal("")
    )
    regions = keys.select("sid", "as_of_hour", scope_kind=ibis.literal("region"), key=keys.region)
    own = keys.select("sid", "as_of_hour", scope_kind=ibis.literal("tenant"), key=keys.tenant_id)
    happened = table("incident")
    happened = happened.mutate(key=when(happened.scope_kind == "all", "", happened.scope))
    scopes = stages.add("incident_scope", ibis.union(everyone, regions, own))
    met = happened.join(scopes, ["scope_kind", "key"]).filter(
        lambda row: (row.from_hour < row.as_of_hour) & (row.known_hour < row.as_of_hour)
    )
    end = ibis.least(ibis.coalesce(met.to_hour, met.as_of_hour), met.as_of_hour)
    start = ibis.greatest(met.from_hour, met.as_of_hour - 28 * 24)
    return met.mutate(hours=real(ibis.greatest(end - start, 0)))
