"""A second server mirrors the first: the same decisions, also when the first has gone."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from flyball.home import Home
from models.signature import create_keypair, load_private_key
from serving.snapshot.version import parse_version
from serving.snapshot.writer import SnapshotWriter
from tests.integration.robustness.process import Service, flyball, serving, until
from tests.integration.service.running import entry


def publishing_home(root: Path) -> tuple[Home, SnapshotWriter]:
    home = Home(root)
    create_keypair(home.signing_key, home.verify_key)
    return home, SnapshotWriter(home.snapshot, load_private_key(home.signing_key))


def publish(writer: SnapshotWriter, arm: int) -> None:
    now_us = time.time_ns() // 1_000
    writer.publish_changes([entry("ent_1", arm)], created_us=now_us, as_of_us=now_us)


def version(service: Service) -> str:
    with service.client() as client:
        return str(client.get("/v1/snapshot").headers["flyball-version"])


def test_a_mirror_follows_and_outlives_its_leader(tmp_path: Path) -> None:
    leading, writer = publishing_home(tmp_path / "leading")
    publish(writer, 85)
    mirror = tmp_path / "mirror"
    key = str(leading.verify_key)
    with serving(leading.root, "--data-path-only") as leader:
        leader.ready()
        with serving(mirror, "--follow", leader.url, "--follow-key", key) as follower:
            follower.ready()
            assert follower.decision("ent_1")["dynamicMultiplier"] == 0.85
            publish(writer, 115)
            began = time.monotonic()
            until(lambda: follower.decision("ent_1")["dynamicMultiplier"] == 1.15)
            assert time.monotonic() - began < 10
            assert follower.decision("ent_1") == leader.decision("ent_1")
            with follower.client() as client:
                answer = client.post("/v1/events", json={})
                assert answer.status_code == 421
                assert leader.url in answer.json()["detail"]
                batch = client.post("/v1/decisions:batchGet", json={"tenantIds": ["ent_1"]})
                assert batch.status_code == 200
            port = leader.port
            assert leader.stop() == 0
            assert follower.decision("ent_1")["dynamicMultiplier"] == 1.15
            # It comes back with something new, and the mirror goes on by itself.
            publish(writer, 130)
            with serving(leading.root, "--data-path-only", port=port):
                until(lambda: follower.decision("ent_1")["dynamicMultiplier"] == 1.3)
            assert follower.stop() == 0
    # A cold start with nobody to follow: last known good from disk.
    with serving(mirror, "--follow", f"http://127.0.0.1:{port}") as follower:
        follower.ready()
        assert follower.decision("ent_1")["dynamicMultiplier"] == 1.3
        held = parse_version(version(follower))
        # A leader that was restored from a backup is behind: the mirror keeps what it has.
        shutil.rmtree(leading.snapshot)
        again = SnapshotWriter(leading.snapshot, load_private_key(leading.signing_key))
        publish(again, 70)
        with serving(leading.root, "--data-path-only", port=port) as leader:
            leader.ready()
            until(lambda: "behind" in follower.said)
            assert follower.decision("ent_1")["dynamicMultiplier"] == 1.3
            assert parse_version(version(follower)) == held
        assert follower.stop() == 0


def test_a_mirror_trusts_only_the_key_that_it_was_given(tmp_path: Path) -> None:
    leading, writer = publishing_home(tmp_path / "leading")
    stranger, _ = publishing_home(tmp_path / "stranger")
    publish(writer, 85)
    key = str(stranger.verify_key)
    with serving(leading.root, "--data-path-only") as leader:
        leader.ready()
        with serving(tmp_path / "mirror", "--follow", leader.url, "--follow-key", key) as follower:
            until(lambda: "not signed by the key" in follower.said)
            assert follower.decision("ent_1")["source"] == "unknown_tenant"


def test_what_cannot_be_followed_is_said_at_once(tmp_path: Path) -> None:
    leading, _ = publishing_home(tmp_path / "leading")
    ended = flyball(leading.root, "serve", "--port", "0", "--follow", "http://127.0.0.1:1")
    assert (ended.code, ended.calm) == (3, True)
    assert "another --home" in ended.err
    ended = flyball(tmp_path / "new", "serve", "--port", "0", "--follow", "http://127.0.0.1:1")
    assert (ended.code, ended.calm) == (2, True)
    assert "--follow-key" in ended.err
    ended = flyball(tmp_path / "new", "serve", "--port", "0", "--follow", "ftp://somewhere")
    assert (ended.code, ended.calm) == (2, True)
