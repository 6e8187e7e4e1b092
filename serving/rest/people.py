"""A person's say: overrides, the kill switch, experiments; who, why and until when is kept."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request

from flyball.errors import InvalidInput
from flyball.experiment import Experiment
from flyball.identity import check_identifier
from flyball.instant import format_instant, parse_instant
from flyball.override import Override, OverrideKind
from ledger.kill import engage_kill, kill_state, release_kill
from ledger.people import ExperimentRun
from serving.rest.body import read_document
from serving.rest.gate import Admin, At, Reader, Success
from serving.rest.run import in_thread


class _NewOverride(msgspec.Struct, forbid_unknown_fields=True):
    tenantId: str  # noqa: N815
    kind: OverrideKind
    reason: str
    expiresAt: str  # noqa: N815
    multiplier: float | None = None


class _Switch(msgspec.Struct, forbid_unknown_fields=True):
    on: bool
    reason: str


class _NewExperiment(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    reason: str
    epsilon: float = 0.05
    holdoutShare: float = 0.1  # noqa: N815


class _Stop(msgspec.Struct, forbid_unknown_fields=True):
    reason: str


def _convert(document: Any, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{error}.", field=kind.__name__.lstrip("_").lower()) from error


def _body(example: dict[str, Any]) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"example": example, "schema": {"type": "object"}}},
        }
    }


def _hundredths(multiplier: float | None) -> int | None:
    if multiplier is None:
        return None
    arm = round(multiplier * 100)
    if not 1 <= arm <= 1000 or abs(arm - multiplier * 100) > 1e-6:
        raise InvalidInput(
            f"multiplier {multiplier} is not on the grid.",
            "Give whole hundredths, such as 0.85.",
            field="multiplier",
            code="bad_arm",
        )
    return arm


def _override(override: Override) -> dict[str, Any]:
    return {
        "overrideId": override.override_id,
        "tenantId": override.tenant_id,
        "kind": override.kind.value,
        "multiplier": None if override.arm is None else override.arm / 100,
        "author": override.author,
        "reason": override.reason,
        "createdAt": format_instant(override.created_us),
        "expiresAt": format_instant(override.expires_us),
        "endedAt": None if override.ended_us is None else format_instant(override.ended_us),
    }


def _experiment(run: ExperimentRun) -> dict[str, Any]:
    # The secret decides every draw; it never leaves the ledger.
    return {
        "name": run.experiment.name,
        "epsilon": run.experiment.epsilon,
        "holdoutShare": run.experiment.holdout_share,
        "author": run.author,
        "reason": run.reason,
        "startedAt": format_instant(run.started_us),
        "stoppedAt": None if run.stopped_us is None else format_instant(run.stopped_us),
    }


def _overrides(router: APIRouter) -> None:
    example = {
        "tenantId": "ent_88492",
        "kind": "exempt",
        "reason": "renewal talks",
        "expiresAt": "2026-02-01T00:00:00Z",
    }

    @router.post("/v1/overrides", status_code=201, openapi_extra=_body(example))
    async def add(request: Request, worker: At, who: Success) -> dict[str, Any]:
        asked = _convert(await read_document(request), _NewOverride)
        expires_us = parse_instant(asked.expiresAt, field="expiresAt")
        name = check_identifier(asked.tenantId, field="tenantId")
        arm = _hundredths(asked.multiplier)

        def put() -> Override:
            tenant = worker.ledger.resolve(name) or name
            return worker.ledger.add_override(
                tenant,
                asked.kind,
                author=who.name,
                reason=asked.reason,
                now_us=worker.known_us(),
                expires_us=expires_us,
                arm=arm,
            )

        return _override(await in_thread(put))

    @router.get("/v1/overrides")
    async def listed(worker: At, _: Reader, active: bool = True) -> dict[str, Any]:
        at_us = worker.known_us() if active else None
        found = await in_thread(lambda: worker.ledger.overrides(active_at_us=at_us))
        return {"overrides": [_override(override) for override in found]}

    @router.post("/v1/overrides/{override_id}:end", openapi_extra=_body({"reason": "settled"}))
    async def end(override_id: str, request: Request, worker: At, who: Success) -> dict[str, Any]:
        asked = _convert(await read_document(request), _Stop)
        ended = await in_thread(
            lambda: worker.ledger.end_override(
                override_id, author=who.name, now_us=worker.known_us(), reason=asked.reason
            )
        )
        return _override(ended)


def _kill_switch(router: APIRouter) -> None:
    def state(worker: At) -> dict[str, Any]:
        found = kill_state(worker.home)
        if found is None:
            return {"on": False}
        since = None if found.since_us is None else format_instant(found.since_us)
        return {"on": True, "author": found.author, "reason": found.reason, "since": since}

    @router.get("/v1/kill-switch")
    async def look(worker: At, _: Reader) -> dict[str, Any]:
        return state(worker)

    @router.put("/v1/kill-switch", openapi_extra=_body({"on": True, "reason": "incident 42"}))
    async def turn(request: Request, worker: At, who: Admin) -> dict[str, Any]:
        asked = _convert(await read_document(request), _Switch)
        move = engage_kill if asked.on else release_kill

        def switch() -> None:
            # The file first: the switch must work with the ledger down, then without its log.
            now_us = worker.now_us()
            if move(worker.home, author=who.name, reason=asked.reason, now_us=now_us):
                worker.log_kill(
                    engaged=asked.on, author=who.name, reason=asked.reason, now_us=now_us
                )

        await in_thread(switch)
        return state(worker)


def _experiments(router: APIRouter) -> None:
    example = {"name": "autumn", "epsilon": 0.05, "holdoutShare": 0.1, "reason": "first look"}

    @router.get("/v1/experiments")
    async def listed(worker: At, _: Reader) -> dict[str, Any]:
        runs = await in_thread(worker.ledger_experiments)
        return {"experiments": [_experiment(run) for run in runs]}

    @router.post("/v1/experiments", status_code=201, openapi_extra=_body(example))
    async def start(request: Request, worker: At, who: Admin) -> dict[str, Any]:
        asked = _convert(await read_document(request), _NewExperiment)
        # Checks the ranges before the ledger is asked.
        Experiment(
            name=asked.name,
            secret=bytes(16),
            epsilon=asked.epsilon,
            holdout_share=asked.holdoutShare,
        )
        run = await in_thread(
            lambda: worker.ledger.start_experiment(
                asked.name,
                epsilon=asked.epsilon,
                holdout_share=asked.holdoutShare,
                author=who.name,
                reason=asked.reason,
                now_us=worker.known_us(),
            )
        )
        return _experiment(run)

    @router.post("/v1/experiments:stop", openapi_extra=_body({"reason": "enough seen"}))
    async def stop(request: Request, worker: At, who: Admin) -> dict[str, Any]:
        asked = _convert(await read_document(request), _Stop)
        run = await in_thread(
            lambda: worker.ledger.stop_experiment(
                author=who.name, now_us=worker.known_us(), reason=asked.reason
            )
        )
        return _experiment(run)


def routes() -> APIRouter:
    """Routes for people and their tools."""
    router = APIRouter(tags=["people"])
    _overrides(router)
    _kill_switch(router)
    _experiments(router)
    return router
