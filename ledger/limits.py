"""Which limits a tenant had at any time: account versions crossed with plan versions.

An as-of time sees the account version latest in force of those known, and of that version's plan
the latest in force of those known. Crossing both and ordering the pairs gives rows from which a
reader gets exactly that with one filter and one "highest first".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from flyball.instant import hour_of
from flyball.plan import Plan, plan_from

#: Columns of an account version that the relations need, in this order.
ACCOUNT_COLUMNS = (
    "tenant_id", "effective_us", "known_us", "plan", "created_us", "parent_org", "segment",
    "region", "seats", "mrr_minor", "currency", "renewal_us", "base_limit", "contract_limit",
)  # fmt: skip


class PlanVersion(NamedTuple):
    """One version of a plan with its two times (µs)."""

    effective_us: int
    known_us: int
    version: int
    plan: Plan


class AccountVersion(NamedTuple):
    """One row of ``account``: see :data:`ACCOUNT_COLUMNS`."""

    tenant_id: str
    effective_us: int
    known_us: int
    plan: str
    created_us: int
    parent_org: str
    segment: str
    region: str
    seats: int | None
    mrr_minor: int | None
    currency: str
    renewal_us: int | None
    base_limit: int | None
    contract_limit: int | None


class Resolved(NamedTuple):
    """An account version under one version of its plan (None: no version of the plan is known).

    ``order`` counts up within a tenant: of the rows visible at a time, the highest is in force.
    ``visible_us`` is when both versions were known and the plan's was in force.
    """

    account: AccountVersion
    order: int
    visible_us: int
    base: int | None
    contract: int | None
    window_seconds: int | None
    meter: str | None


class LimitInForce(NamedTuple):
    """The primary meter's base limit that a gateway enforced from an hour on."""

    tenant_id: str
    meter: str
    from_hour: int
    base_limit: int
    window_seconds: int


def plan_versions(rows: Iterable[Sequence[Any]]) -> dict[str, list[PlanVersion]]:
    """Rows ``(plan, effective_us, known_us, version, content)`` by plan, in order of force."""
    found: dict[str, list[PlanVersion]] = {}
    for name, effective_us, known_us, version, content in rows:
        plan = plan_from(msgspec.json.decode(content))
        found.setdefault(name, []).append(PlanVersion(effective_us, known_us, version, plan))
    for versions in found.values():
        versions.sort(key=lambda v: (v.effective_us, v.version))
    return found


def resolve_limits(
    accounts: Iterable[AccountVersion], plans: dict[str, list[PlanVersion]]
) -> Iterator[Resolved]:
    """Cross account versions, ordered by tenant and force, with the versions of their plans."""
    tenant_id, order = "", 0
    terms: dict[tuple[str, int | None, int | None], list[_Terms]] = {}
    for account in accounts:
        if account.tenant_id != tenant_id:
            tenant_id, order = account.tenant_id, 0
        key = (account.plan, account.base_limit, account.contract_limit)
        if key not in terms:
            terms[key] = [_terms(account, version) for version in plans.get(account.plan, ())]
        known_us = account.known_us
        candidates = terms[key]
        if len(candidates) > 1:
            candidates = _reachable(candidates, max(known_us, account.effective_us))
        if not candidates:
            order += 1
            yield Resolved(account, order, known_us, None, None, None, None)
        for found in candidates:
            order += 1
            visible_us = max(known_us, found.visible_us)
            yield Resolved(
                account, order, visible_us, found.base, found.contract, found.window_seconds,
                found.meter,
            )  # fmt: skip


class _Terms(NamedTuple):
    visible_us: int
    base: int
    contract: int
    window_seconds: int
    meter: str


def _terms(account: AccountVersion, version: PlanVersion) -> _Terms:
    listed = version.plan.primary_limit
    base = listed.base if account.base_limit is None else account.base_limit
    contract = listed.contract if account.contract_limit is None else account.contract_limit
    return _Terms(
        visible_us=max(version.effective_us, version.known_us),
        base=base,
        contract=min(base, contract),
        window_seconds=listed.window_seconds,
        meter=version.plan.primary_meter,
    )


def _reachable(candidates: list[_Terms], from_us: int) -> list[_Terms]:
    """Without versions that a later one hides from the very start."""
    last = max((i for i, c in enumerate(candidates) if c.visible_us <= from_us), default=0)
    return candidates[last:]


def limits_in_force(resolved: Iterable[Resolved]) -> Iterator[LimitInForce]:
    """What the gateway enforced over time, from :func:`resolve_limits`.

    A version counts from when it was both in force and known, because nobody could have enforced it
    before; corrections of the past thus leave the past as it was. The first counts from creation.
    """
    held: list[Resolved] = []
    for row in resolved:
        if held and held[0].account.tenant_id != row.account.tenant_id:
            yield from _enforced(held)
            held = []
        held.append(row)
    if held:
        yield from _enforced(held)


def _enforced(rows: list[Resolved]) -> list[LimitInForce]:
    def start(row: Resolved) -> int:
        return max(row.account.effective_us, row.visible_us)

    found: list[LimitInForce] = []
    best = 0
    created_us = min(row.account.created_us for row in rows)
    for row in sorted(rows, key=lambda r: (start(r), r.order)):
        if row.order < best:
            continue
        best = row.order
        if row.base is None or row.window_seconds is None or row.meter is None:
            continue
        hour = hour_of(start(row) if found else min(created_us, start(row)))
        if found and found[-1].from_hour == hour:
            # An hour has one limit: the last that came into force in it.
            found.pop()
        limit = LimitInForce(row.account.tenant_id, row.meter, hour, row.base, row.window_seconds)
        if not found or (found[-1].meter, *found[-1][3:]) != (limit.meter, *limit[3:]):
            found.append(limit)
    return found
