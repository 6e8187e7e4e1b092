from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from simulation.delivery import usage_of
from simulation.gateway import Gateway, cloud_events
from simulation.product import ProductFailed
from simulation.week import Setup
from simulation.world import World


class _Service(BaseHTTPRequestHandler):
    """Takes everything, answers like the service, and remembers what it was asked."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, Any]]

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.seen.append((self.command, self.path, body))
        status, document = self._reply(body)
        payload = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 (the names that http.server looks for)

    def _reply(self, body: Any) -> tuple[int, dict[str, Any]]:
        if self.path == "/v1/events":
            refused = [{"index": 0, "code": "bad_time", "reason": ""}]
            return 202, {"accepted": len(body) - 1, "duplicate": 0, "pending": 0,
                         "rejected": refused}  # fmt: skip
        if self.path == "/v1/decisions:batchGet":
            return 200, {"decisions": [{"tenantId": name} for name in body["tenantIds"]]}
        if self.path.startswith("/v1/decisions/"):
            return 404, {"title": "no such tenant"}
        return (202, {}) if self.path == "/v1/subscriptions" else (200, {})

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[tuple[Gateway, list[tuple[str, str, Any]]]]:
    seen: list[tuple[str, str, Any]] = []
    handler = type("Handler", (_Service,), {"seen": seen})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    gateway = Gateway(f"http://127.0.0.1:{server.server_address[1]}")
    yield gateway, seen
    gateway.close()
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_usage_goes_out_as_cloud_events_in_batches_and_answers_are_added_up(
    service: tuple[Gateway, list[tuple[str, str, Any]]],
) -> None:
    gateway, seen = service
    world = World.begin(Setup(tenants=60, weeks=2, seed=1))
    week = world.step()
    created = world.population.created_hour[: len(week.arm)]
    usage = usage_of(week, world.population.tenant_id, created, 1)
    gateway.post(usage)
    bodies = [body for _, path, body in seen if path == "/v1/events"]
    assert sum(map(len, bodies)) == usage.num_rows == gateway.posted == gateway.receipts.total
    assert all(len(body) <= 5_000 for body in bodies)
    assert gateway.receipts.reasons == {"bad_time": len(bodies)}
    first = bodies[0][0]
    assert first["specversion"] == "1.0"
    assert first["subject"].startswith("ent_")
    assert first["time"].endswith("Z")
    total = np.sum([event["data"]["quantity"] for event in cloud_events(usage)])
    assert total == pytest.approx(float(np.sum(usage["quantity"].to_numpy())))


def test_accounts_are_told_without_what_is_not_known(
    service: tuple[Gateway, list[tuple[str, str, Any]]],
) -> None:
    gateway, seen = service
    gateway.put_account({"tenant_id": "ent/1", "plan": "growth", "renewal_at": None})
    gateway.tell_subscriptions([])
    gateway.tell_subscriptions([{"tenant_id": "ent/1", "kind": "started"}])
    assert seen == [
        ("PUT", "/v1/accounts/ent%2F1", {"tenant_id": "ent/1", "plan": "growth"}),
        ("POST", "/v1/subscriptions", [{"tenant_id": "ent/1", "kind": "started"}]),
    ]


def test_any_answer_but_success_is_an_error_that_says_what_was_said(
    service: tuple[Gateway, list[tuple[str, str, Any]]],
) -> None:
    gateway, _ = service
    assert set(gateway.decisions([f"t{i}" for i in range(600)])) == {f"t{i}" for i in range(600)}
    with pytest.raises(ProductFailed, match=r"404: .*no such tenant"):
        gateway.decision("nobody")
    with pytest.raises(ProductFailed, match="was not answered"):
        Gateway("http://127.0.0.1:9").decision("t")
