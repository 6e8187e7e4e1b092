"""Decisions out: one or many. Nothing here touches a store."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from flyball.errors import InvalidInput
from flyball.identity import check_identifier
from serving.rest.body import read_document
from serving.rest.gate import At, Gateway

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
    "limits": [
        {
            "meter": "api.requests",
            "kind": "rate",
            "baseLimit": 10000,
            "effectiveLimit": 8500,
            "windowSeconds": 60,
            "endpoints": [
                {
                    "pattern": "POST /v1/exports",
                    "weight": 10,
                    "baseLimit": 100,
                    "effectiveLimit": 85,
                }
            ],
        },
        {
            "meter": "workflows.concurrent",
            "kind": "concurrency",
            "baseLimit": 20,
            "effectiveLimit": 17,
            "windowSeconds": None,
        },
    ],
    "reasons": ["upgrade_effect_outweighs_churn"],
    "decisionId": "d_5a0c2f6e9b1d4c7a",
    "modelVersion": "3",
    "policy": "value",
    "source": "fresh",
    "decidedAt": "2026-01-05T00:00:00Z",
    "expiresAt": "2026-01-05T00:15:00Z",
}


class EndpointAnswer(BaseModel):
    """One endpoint's weight and, where the plan states one, its own limit in requests."""

    pattern: str
    weight: int
    baseLimit: int | None  # noqa: N815
    effectiveLimit: int | None  # noqa: N815


class LimitAnswer(BaseModel):
    """One limit of the plan; what the plan does not state is left out."""

    meter: str
    kind: str = Field(description="rate, quota, concurrency or storage.")
    baseLimit: int  # noqa: N815
    effectiveLimit: int  # noqa: N815
    windowSeconds: int | None = Field(description="null for concurrency and storage.")  # noqa: N815
    burst: int = Field(default=0, description="Units that may come at once, where stated.")
    soft: int = Field(default=0, description="Hundredths above which service may degrade.")
    paid: bool = Field(default=False, description="Exhausted means 402, not 429.")
    endpoints: list[EndpointAnswer] = []


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
    limits: list[LimitAnswer] | None = Field(description="All of them, the primary one first.")
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

    return router
