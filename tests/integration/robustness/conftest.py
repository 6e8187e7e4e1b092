"""A small home, filled and decided for by the commands themselves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flyball.home import Home
from models.signature import load_private_key
from serving.snapshot.frame import Additions, pack_frame
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.version import delta_path
from tests.integration.robustness.process import REPOSITORY, Typed, environment, flyball


@pytest.fixture(scope="session")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An import directory of 40 tenants and six weeks up to now."""
    directory = tmp_path_factory.mktemp("delivery") / "in"
    subprocess.run(
        [
            *(sys.executable, "-m", "simulation", "--tenants", "40", "--weeks", "6", "--quiet"),
            *("--end", "now", "--out", str(directory)),
        ],
        check=True,
        timeout=60,
        env=environment(),
        cwd=REPOSITORY,
    )
    return directory


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, delivery: Path) -> Path:
    """An imported and decided home that tests copy."""
    home = tmp_path_factory.mktemp("filled") / "home"
    for arguments in (
        ("import", str(delivery)),
        (
            *("decide", "--mode", "live", "--policy", "constant", "--policy-arm", "0.85"),
            *("--publish", "--out", f"{home}.ndjson"),
        ),
    ):
        ended = flyball(home, *arguments)
        assert ended.code == 0, ended.err
    return home


@pytest.fixture(scope="session")
def tightened(filled: Path) -> str:
    """A tenant whose decision in the home is 0.85."""
    rows = map(json.loads, Path(f"{filled}.ndjson").read_text().splitlines())
    return next(str(row["tenant_id"]) for row in rows if row["served_multiplier"] < 1)


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setenv("FLYBALL_AUTHOR", "test")
    return Typed(capsys)


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    shutil.copytree(filled, tmp_path / "home")
    publish_again(Home(tmp_path / "home"))
    return tmp_path / "home"


def publish_again(lay: Home) -> None:
    """Say that the same decisions hold now: the copied home may be older than a fresh snapshot."""
    key = load_private_key(lay.signing_key)
    reader = SnapshotReader(lay.snapshot, key.public_key())
    reader.refresh()
    assert reader.standing is not None, reader.error
    assert reader.base_path is not None
    assert reader.as_of_us is not None
    _, digest, version, _ = reader.standing
    frame = pack_frame(
        key,
        epoch=version.epoch,
        number=version.number + 1,
        base=digest,
        created_us=time.time_ns() // 1_000,
        as_of_us=reader.as_of_us,
        records=b"",
        additions=Additions(),
    )
    with delta_path(reader.base_path).open("ab") as deltas:
        deltas.write(frame)
