"""What holds for every gateway that enforces from the sidecar's files, whatever its make.

A make's tests inherit from `CopyRules` and say how to run it beside a sidecar that follows a real
`flyball serve`; what only it does stands in its own file.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import httpx2

from serving.snapshot.entry import Entry
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.node.server import Server
from tests.integration.node.test_sidecar import wait_for
from tests.integration.service.running import entry

#: What a client may not say; the service behind must see none of it.
FORGED = {
    "X-Tenant-ID": "ent_2",
    "X-Flyball-Tenant": "ent_2",
    "X-Flyball-Limit": "1000000",
    "X-Flyball-Units": "api.requests=0",
    "Flyball-State": "open",
    "RateLimit": '"api.requests";r=999',
    "RateLimit-Policy": '"api.requests";q=999',
    "X-RateLimit-Limit": "1000000",
}


def daily(name: str, arm: int) -> Entry:
    """A limit of 100 a day: what drains while a test runs is less than one unit."""
    return dataclasses.replace(entry(name, arm, base=100), window_seconds=86_400)


class Copying(Protocol):
    """A running gateway, whose keys are those of tenants ``ent_1`` to ``ent_3`` and of nobody."""

    def get(
        self, path: str = "/", key: str | None = "key-1", headers: Mapping[str, str] | None = None
    ) -> httpx2.Response: ...

    def passed(self, number: int, key: str = "key-1", path: str = "/") -> int:
        """How many of so many requests, sent at once after each other, pass."""


def limit(running: Copying, key: str = "key-1") -> str | None:
    value: str | None = running.get("/", key).headers.get("X-RateLimit-Limit")
    return value


class CopyRules(abc.ABC):
    """The tests; ``gateway`` runs the make, with its files in ``folder / "flyball"``."""

    @abc.abstractmethod
    def gateway(
        self, server: Server, behind: ServiceBehind, folder: Path
    ) -> AbstractContextManager[Copying]:
        """The make beside a sidecar that follows ``server``, in front of ``behind``."""

    def test_a_change_reaches_traffic_within_two_seconds_and_hands_out_no_fresh_bucket(
        self, server: Server, behind: ServiceBehind, tmp_path: Path
    ) -> None:
        # ent_3 changes with ent_1, so that looking at it shows when the change is there. (HAProxy's
        # maps change one name after another, ent_1 first.)
        def publish(arm: int) -> float:
            server.publish(daily("ent_1", arm), daily("ent_3", arm))
            return wait_for(lambda: limit(running, "key-3") == str(arm))

        server.publish_all(daily("ent_1", 100), daily("ent_2", 100), daily("ent_3", 100))
        with self.gateway(server, behind, tmp_path) as running:
            assert running.passed(60) == 60
            assert publish(70) < 2.0
            # Tightened: 60 of 70 are in use.
            assert running.passed(30) == 10
            refused = running.get()
            assert refused.status_code == 429
            assert refused.headers["Content-Type"] == "application/problem+json"
            assert refused.headers["X-RateLimit-Limit"] == "70"
            assert refused.headers["RateLimit-Policy"] == '"api.requests";q=70;w=86400'
            assert int(refused.headers["Retry-After"]) > 0
            assert refused.json()["status"] == 429
            for word in ("probab", "churn", "capacity", "overload"):
                assert word not in refused.text.lower()
            # Relaxed: 70 of 130 are in use.
            assert publish(130) < 2.0
            assert running.passed(130) == 60
            # Tightened below what is in use, and back: nothing is to be had by it.
            publish(70)
            assert running.passed(5) == 0
            publish(130)
            assert running.passed(5) == 0
            # Nobody else's counter moved.
            remaining = int(running.get(key="key-2").headers["X-RateLimit-Remaining"])
            assert remaining > 80
            assert running.passed(110, "key-2") == remaining

    def test_the_service_dies_and_returns(
        self, server: Server, behind: ServiceBehind, tmp_path: Path
    ) -> None:
        with self.gateway(server, behind, tmp_path) as running:
            assert running.get().headers["Flyball-State"] == "fresh"
            server.kill()
            answer = running.get()
            assert (answer.status_code, answer.headers["Flyball-State"]) == (200, "fresh")
            assert answer.headers["X-RateLimit-Limit"] == "100"
            server.publish(entry("ent_1", 85, base=100))
            assert limit(running) == "100"
            server.start()
            wait_for(lambda: limit(running) == "85")

    def test_the_kill_file_opens(
        self, server: Server, behind: ServiceBehind, tmp_path: Path
    ) -> None:
        server.publish_all(daily("ent_1", 100), daily("ent_2", 100))
        with self.gateway(server, behind, tmp_path) as running:
            assert running.passed(110) == 100
            (tmp_path / "flyball" / "kill").touch()
            wait_for(lambda: running.get().headers["Flyball-State"] == "open", 2)
            assert running.passed(50) == 50
            (tmp_path / "flyball" / "kill").unlink()
            wait_for(lambda: running.get().headers["Flyball-State"] == "fresh", 2)
            assert running.get().status_code == 429

    def test_nobody_forges_an_identity_or_a_limit(
        self, server: Server, behind: ServiceBehind, tmp_path: Path
    ) -> None:
        server.publish_all(daily("ent_1", 100), daily("ent_2", 100))
        with self.gateway(server, behind, tmp_path) as running:
            answer = running.get("/", "key-1", FORGED)
            reached = answer.json()
            assert reached["x-flyball-tenant"] == "ent_1"
            taken = {name.lower() for name in FORGED} - {"x-flyball-tenant"}
            assert not taken & set(reached)
            assert "x-api-key" not in reached
            assert answer.headers["X-RateLimit-Limit"] == "100"
            assert answer.headers["X-RateLimit-Remaining"] == "99"
            for _ in range(100):
                refused = running.get("/", "key-1", FORGED)
            assert refused.status_code == 429
            others = running.get("/", "key-2")
            assert others.status_code == 200
            assert int(others.headers["X-RateLimit-Remaining"]) > 80
            assert running.get("/", None, FORGED).status_code == 401
            nobody = running.get("/", "key-none")
            assert (nobody.status_code, nobody.headers["Flyball-State"]) == (200, "unknown_tenant")
