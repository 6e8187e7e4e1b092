"""``POST /v1/decisions/{tenantId}:evaluate``, straight on ASGI.

Frameworks cost more than the scoring does, so this route is answered before them; it is described
in the OpenAPI document all the same (:mod:`serving.evaluating.description`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flyball.arm import effective_limit
from flyball.decision import Source
from flyball.effective import EffectiveLimit
from flyball.endpoint import endpoint_for
from flyball.errors import FlyballError, InvalidInput
from flyball.identity import check_identifier
from flyball.instant import format_instant
from serving.evaluating.live_context import LiveContext, read_context
from serving.evaluating.verdict import Busy, Evaluated
from serving.rest.problem import problem
from serving.snapshot.answer import Answer
from serving.snapshot.limit_word import limit_json
from serving.worker import Worker

PREFIX = "/v1/decisions/"
SUFFIX = ":evaluate"
ROLES = ("gateway", "cs", "data-science")
MAX_BODY_BYTES = 16 * 1024

_HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
]
_encode = msgspec.json.Encoder().encode


class _TooLarge(Exception):
    """The body is longer than any context."""


class EvaluateEndpoint:
    """The route of one worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def takes(self, scope: Scope) -> bool:
        """Whether a request is for this route."""
        path: str = scope["path"]
        return (
            path.endswith(SUFFIX)
            and path.startswith(PREFIX)
            and scope["method"] == "POST"
            and "/" not in path[len(PREFIX) :]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every error is a problem document."""
        refused = self._admit(scope)
        if refused is not None:
            await self._refuse(refused, scope, receive, send)
            return
        try:
            name = check_identifier(scope["path"][len(PREFIX) : -len(SUFFIX)], field="tenantId")
            context = read_context(await _body(receive))
            body = await self._evaluate(name, context)
        except _TooLarge:
            refused = problem(
                413,
                f"The context is longer than {MAX_BODY_BYTES} bytes.",
                code="too_large",
            )
        except Busy as error:
            refused = problem(503, str(error), code="busy", headers={"retry-after": "1"})
        except InvalidInput as error:
            status = 400 if error.code == "bad_json" else 422
            refused = problem(status, str(error), code=error.code, field=error.field)
        except FlyballError as error:
            refused = problem(503, str(error), code="unavailable", headers={"retry-after": "1"})
        if refused is not None:
            await self._refuse(refused, scope, receive, send)
            return
        self._worker.metrics.evaluated.inc()
        headers = [*_HEADERS, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _admit(self, scope: Scope) -> Response | None:
        authorization = host = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"host":
                host = value
        who = self._worker.principal(authorization, host)
        if who is None:
            return problem(
                401,
                "A bearer token is needed: make one with `flyball token create`.",
                code="unauthorized",
                headers={"www-authenticate": 'Bearer realm="flyball"'},
            )
        if not who.may(ROLES):
            return problem(
                403, f"This needs one of the roles: {', '.join(ROLES)}, admin.", code="forbidden"
            )
        return None

    async def _refuse(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        self._worker.metrics.evaluations_refused.inc()
        await response(scope, receive, send)

    async def _evaluate(self, name: str, context: LiveContext) -> bytes:
        worker = self._worker
        now_us = worker.now_us()
        answer = worker.reader.lookup(name, now_us)
        evaluated = Evaluated(evaluation=None)
        if answer.source is not Source.UNKNOWN_TENANT:
            evaluated = await worker.evaluator.submit(answer, context)
        return _encode(document(answer, evaluated, now_us, endpoint=context.endpoint))


def document(
    answer: Answer, evaluated: Evaluated, now_us: int, *, endpoint: str | None = None
) -> dict[str, Any]:
    """The answer as JSON.

    At the top what to enforce now, as in the decision; ``current`` is the decision in force and
    ``proposed`` what the policy would choose now, None where there is nothing to go by.
    """
    found = evaluated.evaluation
    served = answer.arm if found is None else found.served_arm
    moved = () if found is None else found.moved
    limits = _limits(answer, moved=bool(moved))
    body: dict[str, Any] = {
        "tenantId": answer.tenant_id,
        "advisory": True,
        "mode": "what_if",
        "movedTowardsOne": bool(moved),
        "baseLimit": answer.base_limit,
        "dynamicMultiplier": served / 100,
        "effectiveLimit": _limit(answer, served),
        "enforceFriction": _is_friction(answer, served),
        "windowSeconds": answer.window_seconds,
        "limits": None if limits is None else _limits_json(limits),
        "endpoint": _endpoint(limits, endpoint),
        "reasons": [*moved, *answer.reasons],
        "source": answer.source.value,
        "current": {
            "dynamicMultiplier": answer.arm / 100,
            "effectiveLimit": answer.effective_limit,
            "decisionId": answer.decision_id,
            "upsellProbability": answer.upgrade_probability,
            "churnProbability": answer.churn_probability,
        },
        "proposed": None,
        "modelVersion": evaluated.model_version or None,
        "policy": evaluated.policy or None,
        "featuresAsOf": None if evaluated.as_of_us is None else _time(evaluated.as_of_us),
        "evaluatedAt": format_instant(now_us),
    }
    if found is not None:
        chances = found.chances
        body["proposed"] = {
            "dynamicMultiplier": found.proposed_arm / 100,
            "effectiveLimit": _limit(answer, found.proposed_arm),
            "reasons": list(found.reasons),
            "upsellProbability": None if chances is None else round(chances.upgrade, 5),
            "churnProbability": None if chances is None else round(chances.churn, 5),
        }
    return body


# Many tenants share a plan, an arm, and the pass that read their features.
@lru_cache(maxsize=4_096)
def _limits_json(limits: tuple[EffectiveLimit, ...]) -> msgspec.Raw:
    return msgspec.Raw(_encode([*map(limit_json, limits)]))


_time = lru_cache(maxsize=1_024)(format_instant)


def _limits(answer: Answer, *, moved: bool) -> tuple[EffectiveLimit, ...] | None:
    """Every limit as it is to be enforced now; after a move towards 1 none below its base."""
    if answer.limits is None or not moved:
        return answer.limits
    return tuple(
        replace(
            limit,
            effective_limit=max(limit.effective_limit, limit.base_limit),
            endpoints=tuple(
                own
                if own.base_limit is None or own.effective_limit is None
                else replace(own, effective_limit=max(own.effective_limit, own.base_limit))
                for own in limit.endpoints
            ),
        )
        for limit in answer.limits
    )


def _endpoint(
    limits: tuple[EffectiveLimit, ...] | None, asked: str | None
) -> dict[str, Any] | None:
    """What the plan says of the endpoint that was named (a path, or a method and a path)."""
    if not limits or not asked:
        return None
    method, _, path = asked.rpartition(" ")
    found = endpoint_for(limits[0].endpoints, method or "GET", path)
    if found is None:
        return None
    return {
        "pattern": found.pattern,
        "weight": found.weight,
        "baseLimit": found.base_limit,
        "effectiveLimit": found.effective_limit,
    }


def _limit(answer: Answer, arm: int) -> int | None:
    base = answer.base_limit
    return None if base is None else effective_limit(base, arm)


def _is_friction(answer: Answer, arm: int) -> bool:
    limit = _limit(answer, arm)
    return limit is not None and answer.base_limit is not None and limit < answer.base_limit


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _TooLarge
    if len(body) > MAX_BODY_BYTES:
        raise _TooLarge
    return body
