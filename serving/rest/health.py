"""Is it alive, is it ready, and how is it doing."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from flyball.errors import StorageError
from flyball.instant import format_instant
from ledger.notice import Severity
from serving.rest.gate import Anyone, At
from serving.webhooks.notices import notice_json, outbox_json
from serving.worker import Worker


def routes() -> APIRouter:
    """Probes (open to all) and metrics (any role)."""
    router = APIRouter(tags=["health"])

    @router.get("/livez", summary="200 while this process can answer")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz", summary="200 once there is a snapshot to answer from, else 503")
    async def readyz(worker: At, response: Response) -> dict[str, Any]:
        reader = worker.reader
        response.status_code = 200 if reader.ready else 503
        created = reader.created_us
        return {
            "status": "ready" if reader.ready else "no_snapshot",
            "source": worker.rung().value,
            "snapshot": None if reader.version is None else str(reader.version),
            "tenants": reader.tenants,
            "createdAt": None if created is None else format_instant(created),
            "killSwitch": worker.home.kill.exists(),
            "refused": None if reader.error is None else str(reader.error),
        }

    @router.get("/v1/health", summary="How the service is doing, and what people must be told")
    def health(worker: At, _: Anyone) -> dict[str, Any]:
        told, unreadable = _told(worker)
        killed = worker.home.kill.exists()
        source = worker.rung().value
        critical = any(each["severity"] == Severity.CRITICAL.value for each in told["notices"])
        fine = worker.reader.ready and source == "fresh" and not (killed or unreadable or critical)
        return {
            "status": "ok" if fine else "attention",
            "source": source,
            "snapshot": None if worker.reader.version is None else str(worker.reader.version),
            "killSwitch": killed,
            "unreadable": unreadable,
            **told,
        }

    @router.get("/metrics", summary="Prometheus text format, without tenant labels")
    def metrics(worker: At, _: Anyone) -> Response:
        # Of the other workers the last second may be missing.
        worker.measure()
        content, media_type = worker.metrics.exposition()
        return Response(content, media_type=media_type)

    return router


def _told(worker: Worker) -> tuple[dict[str, Any], list[str]]:
    """Open notices and the outbox; what cannot be read is said, not raised."""
    try:
        ledger = worker.ledger
        return {
            "notices": [notice_json(notice) for notice in ledger.notices()],
            "webhooks": outbox_json(ledger.outbox_counts()),
        }, []
    except StorageError as error:
        return {"notices": [], "webhooks": None}, [str(error)]
