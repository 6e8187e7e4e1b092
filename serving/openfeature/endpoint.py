"""OFREP over HTTP: one flag, or all of them with an entity tag.

As specified by openfeature.dev (OFREP 0.2): errors are its own documents, not problem documents,
because SDKs read them.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Request, Response

from flyball.errors import InvalidInput
from flyball.identity import check_identifier
from serving.openfeature.flag import FLAGS, evaluated
from serving.rest.body import read_body
from serving.rest.gate import At, Gateway
from serving.worker import Worker

MAX_BODY_BYTES = 64 * 1024

_EXAMPLE = {"context": {"targetingKey": "ent_88492"}}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"example": _EXAMPLE, "schema": {"type": "object"}}},
    }
}


class _Context(msgspec.Struct):
    # Other attributes are allowed by the protocol and say nothing to us.
    targetingKey: str | None = None  # noqa: N815


class _Asked(msgspec.Struct):
    context: _Context | None = None


class EvaluationFailure(Exception):
    """An evaluation that OFREP has an error code for."""

    def __init__(self, status: int, code: str, details: str) -> None:
        super().__init__(details)
        self.status = status
        self.code = code
        self.details = details


_decode = msgspec.json.Decoder(_Asked).decode


async def _targeting_key(request: Request) -> str:
    body = await read_body(request, MAX_BODY_BYTES)
    try:
        asked = _decode(body)
    except msgspec.ValidationError as error:
        raise EvaluationFailure(400, "INVALID_CONTEXT", f"{error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EvaluationFailure(400, "PARSE_ERROR", f"Not valid JSON: {error}.") from error
    key = None if asked.context is None else asked.context.targetingKey
    if not key:
        raise EvaluationFailure(
            400,
            "TARGETING_KEY_MISSING",
            "context.targetingKey must name a tenant or one of its aliases.",
        )
    try:
        return check_identifier(key, field="targetingKey")
    except InvalidInput as error:
        raise EvaluationFailure(400, "INVALID_CONTEXT", str(error)) from error


def _decision(worker: Worker, name: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(worker.answer(name))
    return found


def _json(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        msgspec.json.encode(document),
        status_code=status,
        media_type="application/json",
        headers={"cache-control": "no-store"} | (headers or {}),
    )


def _failed(failure: EvaluationFailure, key: str | None) -> Response:
    document = {"errorCode": failure.code, "errorDetails": failure.details}
    return _json(document if key is None else {"key": key} | document, failure.status)


def routes() -> APIRouter:
    """The protocol's two routes."""
    router = APIRouter(prefix="/ofrep/v1", tags=["openfeature"])

    @router.post(
        "/evaluate/flags/{key}",
        summary="One flag of the tenant that context.targetingKey names",
        openapi_extra=_BODY,
    )
    async def one(key: str, request: Request, worker: At, _: Gateway) -> Response:
        try:
            if key not in FLAGS:
                raise EvaluationFailure(
                    404, "FLAG_NOT_FOUND", f"There is no flag of that name. Known: {_KNOWN}."
                )
            name = await _targeting_key(request)
        except EvaluationFailure as failure:
            return _failed(failure, key)
        return _json(evaluated(key, _decision(worker, name)))

    @router.post(
        "/evaluate/flags",
        summary="All flags of the tenant, with an entity tag",
        openapi_extra=_BODY,
        responses={304: {"description": "Nothing has changed since that entity tag."}},
    )
    async def every(
        request: Request,
        worker: At,
        _: Gateway,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        try:
            name = await _targeting_key(request)
        except EvaluationFailure as failure:
            return _failed(failure, None)
        decision = _decision(worker, name)
        flags = [evaluated(key, decision) for key in FLAGS]
        etag = _etag(flags)
        asked = {tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")}
        if asked & {etag, "*"}:
            return Response(status_code=304, headers={"etag": etag})
        return _json({"flags": flags}, headers={"etag": etag})

    return router


_KNOWN = ", ".join(FLAGS)


def _etag(flags: list[dict[str, Any]]) -> str:
    """Changes with values and reasons; not with an expiry that moves every minute."""
    lasting = [
        {**flag, "metadata": {k: v for k, v in flag["metadata"].items() if k != "expiresAt"}}
        for flag in flags
    ]
    return f'"{hashlib.sha256(msgspec.json.encode(lasting)).hexdigest()[:32]}"'
