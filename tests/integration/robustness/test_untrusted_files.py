"""What is not ours, or not sound, or older, is refused by a live service; what it has stays."""

from __future__ import annotations

import json
import time
from pathlib import Path

from flyball.home import Home
from models.signature import create_keypair, load_private_key
from serving.snapshot.version import Version, base_name, bases_in
from serving.snapshot.writer import SnapshotWriter
from tests.integration.robustness.process import Service, serving, until
from tests.integration.service.running import entry


def snapshot_of(tightened: str, lay: Home, key: Path, directory: Path) -> Path:
    """A snapshot in which ``tightened`` has 1.30, of a later epoch than any in the home."""
    directory.mkdir()
    # The writer's epochs follow the ones that it finds.
    (directory / base_name(Version(500, 0))).touch()
    now_us = time.time_ns() // 1_000
    SnapshotWriter(directory, load_private_key(key)).publish_all(
        [entry(tightened, 130)], aliases={}, created_us=now_us, as_of_us=now_us
    )
    return directory / base_name(bases_in(directory)[0])


def move_in(lay: Home, base: Path, content: bytes) -> Path:
    """Put a base into the home, all at once, as a publisher does; the highest version counts."""
    there = lay.snapshot / base.name
    there.with_suffix(".fbd").touch()
    (lay.snapshot / "next").write_bytes(content)
    (lay.snapshot / "next").replace(there)
    return there


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


def empty(_: bytes) -> bytes:
    return b""


def unsigned(content: bytes) -> bytes:
    return content.replace(content[64:192], bytes(128), 1)


def test_damaged_snapshots_are_refused_and_a_sound_one_is_taken(
    home: Path, tightened: str, tmp_path: Path
) -> None:
    lay = Home(home)
    base = snapshot_of(tightened, lay, lay.signing_key, tmp_path / "made")
    sound = base.read_bytes()
    with serving(home, "--data-path-only") as service:
        service.ready()
        for times, damage in enumerate((cut, flip, empty, unsigned), start=1):
            damaged = move_in(lay, base, damage(sound))
            refused(service, "snapshot_refused", tightened, times=times)
            damaged.unlink()
            with service.client() as client:
                until(lambda: client.get("/readyz").json()["refused"] is None)
        move_in(lay, base, sound)
        until(lambda: service.decision(tightened)["dynamicMultiplier"] == 1.3)


def test_another_key_s_snapshot_and_an_older_one_are_refused(
    home: Path, tightened: str, tmp_path: Path
) -> None:
    lay = Home(home)
    create_keypair(tmp_path / "other.pem", tmp_path / "other.pub")
    foreign = snapshot_of(tightened, lay, tmp_path / "other.pem", tmp_path / "made")
    with serving(home, "--data-path-only") as service:
        service.ready()
        served = lay.snapshot / base_name(bases_in(lay.snapshot)[0])
        there = move_in(lay, foreign, foreign.read_bytes())
        refused(service, "snapshot_refused", tightened)
        there.unlink()
        # Only an older one is left, as after a restored backup.
        served.rename(served.with_name(base_name(Version(0, 0))))
        refused(service, "never goes back", tightened)


def refused(service: Service, word: str, tightened: str, times: int = 1) -> None:
    until(lambda: service.said.count(word) >= times, what=service.said)
    found = service.decision(tightened)
    assert (found["source"], found["dynamicMultiplier"]) == ("fresh", 0.85)
    with service.client() as client:
        probe = client.get("/readyz")
    assert probe.status_code == 200
    assert probe.json()["refused"]
    assert "Traceback" not in service.said


def test_bundles_that_cannot_be_trusted_are_refused_and_deciding_goes_on(
    home: Path, tightened: str
) -> None:
    lay = Home(home)
    with serving(home) as service:
        service.ready().decided()
        (lay.bundles / "b9").mkdir(parents=True)
        (lay.bundles / "b9" / "manifest.json").write_text("{}")
        (lay.bundles / "b9" / "hazards.onnx").write_bytes(b"\0" * 1_000)
        unsigned = {"format": 1, "version": "b9", "created_us": 1, "published_us": 1}
        pointers = ("{", '{"version": "../../etc"}', "", json.dumps({**unsigned, "version": "x"}))
        for times, pointer in enumerate((*pointers, json.dumps(unsigned)), start=1):
            (lay.bundles / "current.json.new").write_text(pointer)
            (lay.bundles / "current.json.new").replace(lay.bundles / "current.json")
            refused_bundles(service, times)
        assert service.decision(tightened)["dynamicMultiplier"] == 0.85
        assert service.stop() == 0
    assert "Traceback" not in service.said


def refused_bundles(service: Service, times: int) -> None:
    until(lambda: service.said.count("bundle_refused") == times, what=service.said)
