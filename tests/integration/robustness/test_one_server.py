"""One server a home, and who may reach it."""

from __future__ import annotations

import time
from pathlib import Path

from tests.integration.robustness.process import flyball, serving, until


def test_a_second_server_is_refused_and_the_first_goes_on(home: Path, tightened: str) -> None:
    with serving(home, "--data-path-only") as first:
        first.ready()
        second = flyball(home, "serve", "--port", "0")
        assert second.code == 4
        assert str(first.process.pid) in second.err
        assert "--home" in second.err
        assert second.calm
        assert first.decision(tightened)["source"] == "fresh"
        assert first.stop() == 0
    assert "Traceback" not in first.said


def test_a_taken_port_is_named(home: Path, tmp_path: Path) -> None:
    with serving(home, "--data-path-only") as first:
        other = flyball(tmp_path / "other", "serve", "--port", str(first.port))
    assert other.code == 4
    assert "--port" in other.err
    assert other.calm


def test_without_a_token_other_machines_are_not_served(home: Path) -> None:
    ended = flyball(home, "serve", "--host", "0.0.0.0", "--port", "0")
    assert ended.code == 2
    assert "flyball token create" in ended.err
    assert ended.calm


def test_a_revoked_token_is_shut_out_within_a_second(home: Path, tightened: str) -> None:
    made = flyball(home, "token", "create", "--role", "gateway", "--name", "edge")
    token, token_id = made.out.strip(), made.err.partition(":")[0]
    kept = flyball(home, "token", "create", "--role", "admin", "--name", "me").out.strip()
    with serving(home, "--data-path-only") as service:
        service.ready()
        with service.client() as stranger:
            assert stranger.get(f"/v1/decisions/{tightened}").status_code == 401
        with service.client(token) as client:
            assert client.get(f"/v1/decisions/{tightened}").status_code == 200
            assert flyball(home, "token", "revoke", token_id).code == 0
            revoked = time.monotonic()
            until(
                lambda: client.get(f"/v1/decisions/{tightened}").status_code == 401,
                seconds=2.0,
                what="shut out",
            )
            assert time.monotonic() - revoked < 1.0
        assert service.decision(tightened, kept)["source"] == "fresh"
        assert service.stop() == 0
    assert token not in service.said
    assert kept not in service.said
