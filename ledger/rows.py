"""Rows of the import directory (DESIGN §5) as records; each raises InvalidInput(field, code).

Values may be text (CSV) or native (NDJSON, Parquet). Columns that are not named in DESIGN §5 are
ignored. The known time of history is the row's own time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from flyball.arm import NEUTRAL
from flyball.decision import Assignment, Decision, Mode
from flyball.errors import InvalidInput
from flyball.plan import plan_from
from flyball.tenant import Account
from ledger import fields
from ledger.fields import Row
from ledger.records import (
    Incident,
    Intervention,
    PlanEntry,
    Severity,
    Subscription,
    SubscriptionKind,
    Ticket,
)

_KINDS = tuple(kind.value for kind in SubscriptionKind)
_SEVERITIES = tuple(severity.value for severity in Severity)
_SCOPES = ("all", "region", "tenant")


def parse_plan(entry: object) -> PlanEntry:
    """Read one entry of ``plans.json`` with its optional ``effective_at``."""
    plan = plan_from(entry)
    effective_at = entry.get("effective_at") if isinstance(entry, Mapping) else None
    if fields.absent(effective_at):
        return PlanEntry(plan=plan)
    return PlanEntry(
        plan=plan, effective_us=fields.instant({"effective_at": effective_at}, "effective_at")
    )


def parse_account(row: Row) -> Account:
    """Read one row of ``accounts``; without ``effective_at`` it is true since ``created_at``."""
    created_us = fields.instant(row, "created_at")
    effective_us = fields.optional_instant(row, "effective_at")
    effective_us = created_us if effective_us is None else effective_us
    currency = row.get("currency")
    return Account(
        tenant_id=fields.identifier(row, "tenant_id"),
        plan=fields.identifier(row, "plan"),
        created_us=created_us,
        effective_us=effective_us,
        known_us=effective_us,
        name=fields.label(row, "name"),
        owner=fields.label(row, "owner"),
        region=fields.label(row, "region"),
        segment=fields.label(row, "segment"),
        parent_org=fields.label(row, "parent_org"),
        seats=fields.optional_whole(row, "seats"),
        mrr_minor=fields.optional_whole(row, "mrr_minor"),
        currency="USD" if fields.absent(currency) else str(currency).strip().upper(),
        renewal_us=fields.optional_instant(row, "renewal_at"),
        base_limit=fields.optional_whole(row, "base_limit"),
        contract_limit=fields.optional_whole(row, "contract_limit"),
        aliases=fields.names(row, "aliases"),
    )


def parse_subscription(row: Row) -> Subscription:
    """Read one row of ``subscriptions``; its id defaults to a hash of the row."""
    tenant_id = fields.identifier(row, "tenant_id")
    time_us = fields.instant(row, "time")
    kind = fields.word(row, "kind", _KINDS)
    plan = fields.optional_identifier(row, "plan")
    mrr_minor = _money(row, "mrr_minor")
    given = fields.optional_identifier(row, "id")
    return Subscription(
        subscription_id=given or row_id("s", tenant_id, time_us, kind, plan, mrr_minor),
        tenant_id=tenant_id,
        time_us=time_us,
        known_us=time_us,
        kind=SubscriptionKind(kind),
        plan=plan,
        mrr_minor=mrr_minor,
    )


def _money(row: Row, name: str) -> int | None:
    amount = fields.optional_whole(row, name)
    if amount is not None and not 0 <= amount <= 10**15:
        raise InvalidInput(f"{name} {amount} must lie in 0..1e15.", field=name, code="bad_number")
    return amount


def row_id(prefix: str, *values: object) -> str:
    """A stable identity for a row that brought none: ``prefix``, ``_`` and 20 hex digits."""
    text = "\x1f".join(map(repr, values))
    return f"{prefix}_{hashlib.blake2b(text.encode(), digest_size=10).hexdigest()}"


def parse_decision(row: Row) -> Decision:
    """Read one row of ``decisions``: a live decision made elsewhere, with its propensities.

    ``offered`` (or ``eligible``) maps arms to probabilities; without it the draw is known only to
    have given this arm with ``propensity``. A propensity of 1 marks a decision without any draw.
    """
    tenant_id = fields.identifier(row, "tenant_id")
    time_us = fields.instant(row, "time")
    arm = fields.arm_hundredths(fields.required(row, "multiplier"), "multiplier")
    propensity = fields.number(row, "propensity")
    if not 0.0 < propensity <= 1.0:
        raise InvalidInput(
            f"propensity {propensity} must lie in (0, 1].",
            "A decision that could not have been made cannot be learned from.",
            field="propensity",
            code="bad_propensity",
        )
    offered = fields.arm_shares(row, "offered", "eligible") or {arm: propensity}
    _check_offered(arm, propensity, offered)
    period_days = fields.optional_whole(row, "period_days")
    period_days = 7 if period_days is None else period_days
    if not 1 <= period_days <= 366:
        raise InvalidInput(
            f"period_days {period_days} must lie in 1..366.", field="period_days", code="bad_number"
        )
    return Decision(
        decision_id=fields.identifier(row, "decision_id"),
        tenant_id=tenant_id,
        organisation=tenant_id,
        mode=Mode.LIVE,
        assignment=Assignment.POLICY if propensity == 1.0 else Assignment.DRAWN,
        period_start_us=time_us,
        period_days=period_days,
        decided_us=time_us,
        arm=arm,
        served_arm=arm,
        proposed_arm=max(offered, key=lambda a: (offered[a], -abs(a - NEUTRAL))),
        offered=offered,
        propensity=propensity,
        reasons=(),
        policy=fields.label(row, "policy") or "imported",
        experiment="" if propensity == 1.0 else "imported",
    )


def _check_offered(arm: int, propensity: float, offered: dict[int, float]) -> None:
    if arm not in offered:
        raise InvalidInput(
            f"multiplier {arm / 100:g} is not among the offered arms.",
            field="offered",
            code="bad_arm",
        )
    if abs(offered[arm] - propensity) > 1e-6:
        raise InvalidInput(
            f"propensity {propensity} differs from the offered arm's {offered[arm]}.",
            field="propensity",
            code="bad_propensity",
        )


def parse_intervention(row: Row) -> Intervention:
    """Read one row of ``interventions``."""
    time_us = fields.instant(row, "time")
    kind = fields.label(row, "kind")
    if not kind:
        fields.required(row, "kind")
    return Intervention(
        tenant_id=fields.identifier(row, "tenant_id"),
        time_us=time_us,
        known_us=time_us,
        kind=kind,
        note=fields.label(row, "note"),
    )


def parse_ticket(row: Row) -> Ticket:
    """Read one row of ``tickets``; a closed one is known to be closed from ``closed_at`` on."""
    opened_us = fields.instant(row, "opened_at")
    closed_us = fields.optional_instant(row, "closed_at")
    if closed_us is not None and closed_us < opened_us:
        raise InvalidInput(
            "closed_at lies before opened_at.", "Check the two times.", field="closed_at",
            code="bad_time",
        )  # fmt: skip
    return Ticket(
        ticket_id=fields.identifier(row, "id"),
        tenant_id=fields.identifier(row, "tenant_id"),
        opened_us=opened_us,
        known_us=opened_us if closed_us is None else closed_us,
        severity=Severity(fields.word(row, "severity", _SEVERITIES)),
        closed_us=closed_us,
    )


def parse_incident(row: Row) -> Incident:
    """Read one row of ``incidents``.

    ``scope`` is ``all`` (also when absent), ``region:NAME``, ``tenant:ID``, or a bare name, which
    means the tenant of that name if there is one, else the region.
    """
    from_us = fields.instant(row, "from")
    to_us = fields.optional_instant(row, "to")
    if to_us is not None and to_us < from_us:
        raise InvalidInput("to lies before from.", field="to", code="bad_time")
    text = fields.label(row, "scope") or "all"
    kind, colon, name = text.partition(":")
    if text == "all":
        scope_kind, scope = "all", ""
    elif colon and kind in _SCOPES and name:
        scope_kind, scope = kind, name
    else:
        scope_kind, scope = "", text
    return Incident(
        incident_id=fields.identifier(row, "id"),
        from_us=from_us,
        known_us=from_us if to_us is None else to_us,
        scope_kind=scope_kind,
        scope=scope,
        to_us=to_us,
    )
