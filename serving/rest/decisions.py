"""Decisions out: one, many, the whole snapshot. Nothing here touches a store."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from flyball.errors import InvalidInput
from flyball.identity import check_identifier
from serving.rest.body import read_document
from serving.rest.gate import At, Gateway
from serving.rest.problem import problem
from serving.snapshot.transfer import copy_snapshot

MAX_BATCH = 1_000

EXAMPLE: dict[str, Any] = {
    "tenantId": "ent_88492",
    "baseLimit": 10000,
    "dynamicMultiplier": 0.85,
    "enforceFriction": True,
    "upsellProbability": 0.92,
    "churnProbability": 0.03,
    "effectiveLimit": 8500,
    "windowSeconds": 60,
    "reasons": ["upgrade_effect_outweighs_churn"],
    "decisionId": "d_5a0c2f6e9b1d4c7a",
    "modelVersion": "3",
    "policy": "value",
    "source": "fresh",
    "decidedAt": "2026-01-05T00:00:00Z",
    "expiresAt": "2026-01-05T00:15:00Z",
}


class DecisionAnswer(BaseModel):
    """What a gateway needs to know about one tenant now."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    tenantId: str  # noqa: N815  # the wire's names
    baseLimit: int | None = Field(description="Limit without Flyball; null: use your own.")  # noqa: N815
    dynamicMultiplier: float  # noqa: N815
    enforceFriction: bool  # noqa: N815
    upsellProbability: float | None = Field(description="Over 28 days, under this multiplier.")  # noqa: N815
    churnProbability: float | None = Field(description="Over 28 days, under this multiplier.")  # noqa: N815
    effectiveLimit: int | None = Field(description="Base limit times multiplier, rounded up.")  # noqa: N815
    windowSeconds: int | None  # noqa: N815
    reasons: list[str]
    decisionId: str | None  # noqa: N815
    modelVersion: str | None  # noqa: N815
    policy: str | None
    source: str = Field(description="fresh, last_known_good, plan_default or unknown_tenant.")
    decidedAt: str | None  # noqa: N815
    expiresAt: str | None  # noqa: N815


class DecisionBatch(BaseModel):
    """Answers in the order asked for."""

    decisions: list[DecisionAnswer]


_BATCH_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["tenantIds"],
                    "properties": {
                        "tenantIds": {
                            "type": "array",
                            "items": {"type": "string"},
                            "minItems": 1,
                            "maxItems": MAX_BATCH,
                        }
                    },
                },
                "example": {"tenantIds": ["ent_88492", "ent_10017"]},
            }
        },
    }
}

_NO_STORE = {"cache-control": "no-store"}


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers=_NO_STORE)


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    tenantIds: list[str]  # noqa: N815


def routes() -> APIRouter:
    """Routes of the data path."""
    router = APIRouter(tags=["decisions"])

    @router.get(
        "/v1/decisions/{name}",
        summary="The decision for one tenant (or alias)",
        response_model=DecisionAnswer,
    )
    async def decision(name: str, worker: At, _: Gateway) -> Response:
        return _json(worker.answer(check_identifier(name, field="tenantId")))

    @router.post(
        "/v1/decisions:batchGet",
        summary=f"Decisions for up to {MAX_BATCH} tenants",
        response_model=DecisionBatch,
        openapi_extra=_BATCH_BODY,
    )
    async def batch(request: Request, worker: At, _: Gateway) -> Response:
        document = await read_document(request)
        try:
            names = msgspec.convert(document, _Asked).tenantIds
        except msgspec.ValidationError as error:
            raise InvalidInput(f"tenantIds: {error}.", field="tenantIds") from error
        if not 1 <= len(names) <= MAX_BATCH:
            raise InvalidInput(
                f"tenantIds must name 1 to {MAX_BATCH} tenants, not {len(names)}.",
                "Ask in several requests, or use GET /v1/snapshot.",
                field="tenantIds",
            )
        answers = [worker.answer(check_identifier(name, field="tenantIds")) for name in names]
        return _json(b'{"decisions":[' + b",".join(answers) + b"]}")

    @router.get(
        "/v1/snapshot",
        summary="The signed snapshot: a base file and the delta frames applied to it",
        responses={
            200: {"content": {"application/octet-stream": {}}},
            304: {"description": "You have this version."},
        },
    )
    def snapshot(
        worker: At, _: Gateway, if_none_match: Annotated[str | None, Header()] = None
    ) -> Response:
        copy = copy_snapshot(worker.home.snapshot)
        if copy is None:
            return problem(
                503,
                "There is no snapshot yet; the control loop writes the first one.",
                code="no_snapshot",
                headers={"retry-after": "1"},
            )
        headers = {
            "etag": copy.etag,
            "flyball-base-bytes": str(copy.base_bytes),
            "cache-control": "no-cache",
        }
        asked = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
        if asked & {copy.etag, "*"}:
            return Response(status_code=304, headers=headers)
        return Response(copy.content, media_type="application/octet-stream", headers=headers)

    return router
