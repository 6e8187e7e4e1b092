"""What the vendor tells us about its tenants: accounts, subscriptions, plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request

from flyball.errors import InvalidInput
from flyball.identity import check_identifier
from flyball.instant import format_instant
from ledger.rows import parse_account, parse_plan, parse_subscription
from serving.rest.body import read_document
from serving.rest.casing import snake
from serving.rest.gate import At, Ingest
from serving.rest.run import in_thread
from telemetry.store import Outcome

_ACCOUNT = {
    "plan": "pro",
    "createdAt": "2025-03-01T00:00:00Z",
    "name": "Acme",
    "segment": "mid",
    "aliases": ["key_9f3"],
}
_SUBSCRIPTION = {
    "tenantId": "ent_88492",
    "time": "2026-01-05T00:00:00Z",
    "kind": "upgraded",
    "plan": "business",
    "mrrMinor": 49900,
}
_PLANS = [
    {
        "plan": "pro",
        "rank": 2,
        "monthlyPriceMinor": 9900,
        "currency": "USD",
        "primaryMeter": "api.requests",
        "limits": {"api.requests": {"base": 10000, "contract": 7000, "per": "minute"}},
    }
]


def _body(example: Any) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"example": example, "schema": {}}},
        }
    }


def _object(document: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise InvalidInput(f"{what} must be a JSON object.", field=what)
    return snake(document)


def _list(document: Any, what: str) -> list[Any]:
    entries = document if isinstance(document, list) else [document]
    if not 1 <= len(entries) <= 10_000:
        raise InvalidInput(f"Send 1 to 10,000 {what}.", field=what)
    return entries


def routes() -> APIRouter:
    """Routes for accounts, subscriptions and plans."""
    router = APIRouter(tags=["accounts"])

    @router.put(
        "/v1/accounts/{tenant_id}",
        summary="Create a tenant or add a version of its account",
        openapi_extra=_body(_ACCOUNT),
    )
    async def account(tenant_id: str, request: Request, worker: At, who: Ingest) -> dict[str, Any]:
        check_identifier(tenant_id, field="tenantId")
        row = dict(_object(await read_document(request), "account"))
        if row.setdefault("tenant_id", tenant_id) != tenant_id:
            raise InvalidInput("tenantId differs from the address.", field="tenantId")
        now_us = worker.known_us()
        # Now, unless it says since when: the past as it was known then stays as it was.
        row.setdefault("effective_at", format_instant(now_us))
        dated = row.get("created_at") is not None
        parsed = replace(
            parse_account(row if dated else row | {"created_at": row["effective_at"]}),
            known_us=now_us,
        )

        def put() -> dict[str, Any]:
            kept = [] if dated else worker.ledger.account_versions(tenant_id)
            names = (tenant_id, *parsed.aliases)
            created_us = parsed.created_us
            if kept:
                # A tenant that is known stays as old as it is: new ones are spared friction.
                created_us = kept[-1].created_us
            elif not dated:
                # Usage may come first; it shows that the tenant was there already.
                waiting_us = worker.events.oldest_pending_us(names)
                created_us = min(created_us, waiting_us or created_us)
            account = replace(parsed, created_us=created_us)
            done = worker.ledger.put_account(account, author=who.name)
            for name in names:
                worker.forget(name)
            released = worker.events.release(worker.resolve, names)
            return {
                "tenantId": tenant_id,
                "version": done.version,
                "created": done.created,
                "releasedEvents": released.counts().get(Outcome.ACCEPTED, 0),
            }

        return await in_thread(put)

    @router.post(
        "/v1/subscriptions",
        summary="What happened to subscriptions: started, upgraded, downgraded, renewed, churned",
        status_code=202,
        openapi_extra=_body(_SUBSCRIPTION),
    )
    async def subscriptions(request: Request, worker: At, _: Ingest) -> dict[str, Any]:
        now_us = worker.known_us()
        entries = _list(await read_document(request), "subscriptions")
        records = [
            replace(parse_subscription(_object(entry, "subscription")), known_us=now_us)
            for entry in entries
        ]
        report = await in_thread(lambda: worker.ledger.import_subscriptions(records))
        refused = [*report.conflicts, *report.rejections]
        if refused and not report.accepted and not report.duplicates:
            first = refused[0]
            raise InvalidInput(first.reason, field=f"subscriptions/{first.index}", code=first.code)
        return {
            "accepted": report.accepted,
            "duplicate": report.duplicates,
            "rejected": [
                {"index": r.index, "code": r.code, "reason": r.reason}
                for r in sorted(refused, key=lambda r: r.index)
            ],
        }

    @router.put(
        "/v1/plans",
        summary="Create plans or add versions of them",
        openapi_extra=_body(_PLANS),
    )
    async def plans(request: Request, worker: At, who: Ingest) -> dict[str, Any]:
        entries = [
            parse_plan(_object(entry, "plan"))
            for entry in _list(await read_document(request), "plans")
        ]

        def put() -> list[dict[str, Any]]:
            now_us = worker.known_us()
            versions = []
            for entry in entries:
                done = worker.ledger.put_plan(entry, now_us=now_us, author=who.name)
                versions.append(
                    {
                        "plan": entry.plan.plan,
                        "version": done.version,
                        "created": done.created,
                    }
                )
            return versions

        return {"plans": await in_thread(put)}

    return router
