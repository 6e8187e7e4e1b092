"""What every plugin on nginx's Lua must show, whatever calls its phases.

A gateway's tests inherit from `PluginRules`; their fixture ``running`` says what calls the phases.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateways.nginx.decision_lines import DecisionFiles, limit, line
from tests.integration.gateways.nginx.nginx_process import Nginx
from tests.integration.gateways.service_behind import ServiceBehind, service_behind
from tests.integration.node.test_sidecar import wait_for


class PluginRules:
    """The tests, the service behind, and the sidecar's files."""

    @pytest.fixture(scope="class")
    @classmethod
    def behind(cls) -> Iterator[ServiceBehind]:
        with service_behind() as running:
            yield running

    @pytest.fixture
    def files(self, tmp_path: Path) -> DecisionFiles:
        written = DecisionFiles(tmp_path / "flyball")
        written.write(line("ent_1", limit(base=20)), line("ent_2", limit(base=20)))
        return written

    def test_limits_follow_and_nothing_is_reset(self, running: Nginx, files: DecisionFiles) -> None:
        """A change reaches traffic, no bucket is fresh, refusals are problems, tenants apart."""
        assert running.get().headers["Flyball-State"] == "fresh"
        assert running.passed(11) == 11
        files.change(line("ent_1", limit(base=20, now=14)))
        wait_for(lambda: running.get().headers["X-RateLimit-Limit"] == "14", 2)
        running.passed(14)
        refused = running.get()
        assert refused.status_code == 429
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json()["violated-policies"] == ["api.requests"]
        assert int(refused.headers["Retry-After"]) > 0
        files.change(line("ent_1", limit(base=26)))
        wait_for(lambda: running.get().headers["X-RateLimit-Limit"] == "26", 2)
        assert running.passed(30) <= 12
        assert running.passed(30, "key-2") == 20

    def test_nothing_can_be_forged(self, running: Nginx) -> None:
        """Neither who asks nor what is left."""
        forged = {"X-Flyball-Tenant": "ent_2", "X-Tenant-ID": "ent_2", "X-RateLimit-Limit": "9"}
        reached = running.get(headers=forged).json()
        assert reached["x-flyball-tenant"] == "ent_1"
        assert "x-tenant-id" not in reached
        assert "x-ratelimit-limit" not in reached
        stranger = running.get(key="key-of-nobody", headers=forged)
        assert (stranger.status_code, stranger.headers["Flyball-State"]) == (200, "no_identity")

    def test_the_kill_file_opens(self, running: Nginx, files: DecisionFiles) -> None:
        """Within two seconds, and closes again."""
        (files.folder / "kill").touch()
        wait_for(lambda: running.get().headers["Flyball-State"] == "open", 2)
        (files.folder / "kill").unlink()
        wait_for(lambda: running.get().headers["Flyball-State"] == "fresh", 2)

    def test_slots_are_waited_for(
        self, running: Nginx, files: DecisionFiles, behind: ServiceBehind
    ) -> None:
        """A cap on what runs: nobody is refused, and the slots come back."""
        parallel = limit("workflows.concurrent", "concurrency", base=2, window=0)
        files.change(line("ent_1", parallel))
        wait_for(lambda: "X-RateLimit-Limit" not in running.get().headers, 2)
        assert behind.most_at_once(running.port, 4) == 2
