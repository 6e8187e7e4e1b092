"""Deltas and the stream over a real socket: only what one lacks, at once, never back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flyball.errors import Refused, StorageError
from models.signature import load_public_key
from serving.snapshot.mirror import SnapshotMirror
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.upstream import Upstream
from serving.snapshot.version import Version
from tests.integration.service.running import Service, entry


def change(service: Service, name: str, arm: int) -> Version:
    now_us = time.time_ns() // 1_000
    return service.writer.publish_changes([entry(name, arm)], created_us=now_us, as_of_us=now_us)


def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)


def test_only_what_came_after_a_version_is_sent(service: Service) -> None:
    with service.client() as client:
        whole = client.get("/v1/snapshot")
        assert whole.headers["flyball-version"] == "1.0"
        assert int(whole.headers["flyball-base-bytes"]) == len(whole.content)
        assert client.get("/v1/snapshot?since=1.0").status_code == 304
        change(service, "ent_2", 70)
        change(service, "ent_2", 115)
        both = client.get("/v1/snapshot?since=1.0")
        assert both.headers["flyball-base-bytes"] == "0"
        assert both.headers["flyball-version"] == "1.2"
        one = client.get("/v1/snapshot?since=1.1")
        assert both.content.endswith(one.content)
        assert 0 < len(one.content) < len(both.content)
        assert client.get("/v1/snapshot").content == whole.content + both.content
        assert client.get("/v1/snapshot", headers={"if-none-match": '"1.2"'}).status_code == 304


def test_a_version_of_another_base_gets_everything(service: Service) -> None:
    service.publish(entry("ent_1"))
    with service.client() as client:
        for since in ("1.0", "0.7"):
            answer = client.get(f"/v1/snapshot?since={since}")
            assert int(answer.headers["flyball-base-bytes"]) > 0
            assert answer.headers["flyball-version"] == "1.1"


def test_whoever_has_more_keeps_it(service: Service) -> None:
    with service.client() as client:
        for path in ("/v1/snapshot", "/v1/snapshot/stream"):
            answer = client.get(f"{path}?since=2.0")
            assert answer.status_code == 409
            assert answer.json()["code"] == "snapshot_behind"
            for wrong in ("1", "a.b", "1.-1", "1.99999999999"):
                assert client.get(f"{path}?since={wrong}").status_code == 422


@pytest.fixture
def following(service: Service, tmp_path: Path) -> Iterator[tuple[SnapshotMirror, SnapshotReader]]:
    """A mirror that follows the service's stream in a thread, and a reader on it."""
    key = load_public_key(service.home.verify_key)
    mirror = SnapshotMirror(tmp_path / "mirror", key)
    upstream = Upstream(service.url)

    def follow() -> None:
        try:
            for chunk in upstream.stream(mirror.version):
                mirror.take(chunk)
        except StorageError:
            pass  # closed at the end of the test

    thread = threading.Thread(target=follow)
    thread.start()
    until(lambda: mirror.version is not None)
    yield mirror, SnapshotReader(tmp_path / "mirror", key)
    service.server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def test_a_stream_brings_every_version_as_it_appears(
    service: Service, following: tuple[SnapshotMirror, SnapshotReader]
) -> None:
    mirror, reader = following
    now_us = time.time_ns() // 1_000
    for arm in (70, 115, 130):
        version = change(service, "ent_2", arm)
        until(lambda wanted=version: mirror.version == wanted)  # type: ignore[misc]
        reader.refresh()
        assert reader.lookup("ent_2", now_us).arm == arm
    # A new base goes through the same connection.
    service.publish(entry("ent_1"), entry("ent_3", 70))
    until(lambda: mirror.version == Version(1, 4))
    change(service, "ent_3", 85)
    until(lambda: mirror.version == Version(1, 5))
    reader.refresh()
    assert reader.lookup("ent_3", now_us).arm == 85
    assert reader.lookup("ent_2", now_us).source == "unknown_tenant"


def test_a_quiet_stream_shows_that_it_lives(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("serving.rest.snapshot_stream.HEARTBEAT_SECONDS", 0.05)
    mirror = SnapshotMirror(tmp_path / "mirror", load_public_key(service.home.verify_key))
    chunks = Upstream(service.url).stream(None)
    for chunk in chunks:
        mirror.take(chunk)
        if mirror.upstream_version is not None:
            break
    assert mirror.upstream_version == mirror.version == Version(1, 0)


def test_streams_beyond_the_bound_are_refused_until_one_ends(service: Service) -> None:
    most = service.worker.streams.most
    open_streams = [Upstream(service.url).stream(None) for _ in range(most)]
    for stream in open_streams:
        next(stream)
    with pytest.raises(StorageError, match="503"):
        next(Upstream(service.url).stream(None))
    open_streams[0].close()  # type: ignore[attr-defined]

    def free() -> bool:
        try:
            next(Upstream(service.url).stream(None))
        except StorageError:
            return False
        return True

    until(free)
    # Lookups never wait for streams.
    with service.client() as client:
        assert client.get("/v1/decisions/ent_1").json()["tenantId"] == "ent_1"
    for stream in open_streams:
        stream.close()  # type: ignore[attr-defined]


def test_strangers_get_no_stream(service: Service) -> None:
    from ledger.people import Role
    from ledger.sqlite_ledger import open_ledger

    now_us = time.time_ns() // 1_000
    with open_ledger(service.home) as ledger:
        token, _ = ledger.create_token("edge", Role.GATEWAY, author="ann", now_us=now_us)
    service.worker.refresh()
    with pytest.raises(Refused, match="token"):
        next(Upstream(service.url).stream(None))
    assert next(Upstream(service.url, token).stream(None))
