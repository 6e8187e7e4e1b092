"""``POST /v1/decisions/{tenantId}:evaluate``, straight on ASGI.

Frameworks cost more than the scoring does, so this route is answered before them; it is described
in the OpenAPI document all the same (:mod:`serving.evaluating.description`).
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flyball.decision import Source
from flyball.errors import FlyballError, InvalidInput
from flyball.identity import check_identifier
from serving.evaluating.document import document
from serving.evaluating.live_context import LiveContext, read_context
from serving.evaluating.verdict import Busy, Evaluated
from serving.rest.problem import problem
from serving.worker import Worker

PREFIX = "/v1/decisions/"
SUFFIX = ":evaluate"
ROLES = ("gateway", "cs", "data-science")
MAX_BODY_BYTES = 16 * 1024

_HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
]


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
        return document(answer, evaluated, now_us, endpoint=context.endpoint)


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
