"""Tests leave nothing in memory, and use it only where it is there, roomy and nobody chose."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests import memory_disk


@pytest.fixture
def unchosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody says where temporary files go; afterwards they go where they went."""
    monkeypatch.setenv("TMPDIR", "")
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.mark.usefixtures("unchosen")
def test_temporary_files_go_into_memory_until_the_run_is_over(tmp_path: Path) -> None:
    place = memory_disk.settle(tmp_path, room_bytes=1)
    assert place is not None
    assert place.parent == tmp_path
    assert Path(tempfile.mkdtemp()).parent == place
    assert os.environ["TMPDIR"] == str(place)
    memory_disk.leave(place)
    assert not place.exists()
    assert not Path(tempfile.gettempdir()).is_relative_to(tmp_path)


@pytest.mark.usefixtures("unchosen")
@pytest.mark.parametrize(("name", "room_bytes"), [("", 1 << 60), ("absent", 1)])
def test_without_room_nothing_changes(tmp_path: Path, name: str, room_bytes: int) -> None:
    assert memory_disk.settle(tmp_path / name, room_bytes=room_bytes) is None
    assert "TMPDIR" not in os.environ
    assert not list(tmp_path.iterdir())


def test_a_chosen_place_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert memory_disk.settle(tmp_path, room_bytes=1) is None
    assert not list(tmp_path.iterdir())


def test_what_runs_left_that_are_over_is_removed_and_what_others_use_is_not(
    tmp_path: Path,
) -> None:
    mine = tmp_path / f"{memory_disk.PREFIX}{os.getpid()}-x"
    # Linux gives no process a number this high.
    dead = tmp_path / f"{memory_disk.PREFIX}99999999-x"
    other = tmp_path / "somebody-elses"
    for each in (mine, dead, other):
        each.mkdir()
    memory_disk.clear(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted((mine, other))
