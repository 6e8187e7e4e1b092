"""What the OpenAPI document says about ``:evaluate``; :mod:`serving.evaluating.endpoint` answers.

The path is the same, so a request that the endpoint leaves alone (it leaves none of its method)
would get the framework's 405.
"""

from __future__ import annotations

from fastapi import APIRouter, Response

from serving.rest.problem import problem

_EXAMPLE = {"demand": 12500, "concurrency": 8, "endpoint": "/v1/search"}

_ANSWER = {
    "tenantId": "ent_88492",
    "advisory": True,
    "mode": "what_if",
    "movedTowardsOne": False,
    "baseLimit": 10000,
    "dynamicMultiplier": 0.85,
    "effectiveLimit": 8500,
    "enforceFriction": True,
    "windowSeconds": 60,
    "limits": [
        {
            "meter": "api.requests",
            "kind": "rate",
            "baseLimit": 10000,
            "effectiveLimit": 8500,
            "windowSeconds": 60,
        }
    ],
    "endpoint": {
        "pattern": "/v1/search*",
        "weight": 5,
        "baseLimit": None,
        "effectiveLimit": None,
    },
    "reasons": ["upgrade_effect_outweighs_churn"],
    "source": "fresh",
    "current": {
        "dynamicMultiplier": 0.85,
        "effectiveLimit": 8500,
        "decisionId": "d_5a0c2f6e9b1d4c7a",
        "upsellProbability": 0.92,
        "churnProbability": 0.03,
    },
    "proposed": {
        "dynamicMultiplier": 1.0,
        "effectiveLimit": 10000,
        "reasons": ["no_arm_pays"],
        "upsellProbability": 0.9,
        "churnProbability": 0.02,
    },
    "modelVersion": "3",
    "policy": "value",
    "featuresAsOf": "2026-01-05T00:00:00Z",
    "evaluatedAt": "2026-01-05T00:12:30Z",
}


def routes() -> APIRouter:
    """The route as documented."""
    router = APIRouter(tags=["decisions"])

    @router.post(
        "/v1/decisions/{name}:evaluate",
        summary="Score one tenant now, with what the gateway sees; advice, never training data",
        responses={200: {"content": {"application/json": {"example": _ANSWER}}}},
        openapi_extra={
            "requestBody": {
                "required": False,
                "content": {
                    "application/json": {
                        "example": _EXAMPLE,
                        "schema": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {
                                "demand": {"type": "number", "minimum": 0},
                                "concurrency": {"type": "number", "minimum": 0},
                                "endpoint": {"type": "string", "maxLength": 256},
                            },
                        },
                    }
                },
            }
        },
    )
    async def evaluate(name: str) -> Response:
        return problem(404, f"There is no tenant name {name[:64]!r}.", code="notfound")

    return router
