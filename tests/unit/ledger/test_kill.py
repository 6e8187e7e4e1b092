"""The kill switch works with nothing but a directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flyball.errors import InvalidInput, StorageError
from flyball.home import Home
from ledger import kill
from ledger.kill import KillLog, KillState, engage_kill, kill_state, release_kill
from ledger.sqlite_ledger import open_ledger

STATE = KillState(author="ann", reason="incident 7", since_us=5)


def engage(home: Home, now_us: int, log: KillLog | None = None) -> bool:
    return engage_kill(home, author="ann", reason="incident 7", now_us=now_us, log=log)


def release(home: Home, now_us: int, log: KillLog | None = None) -> bool:
    return release_kill(home, author="ann", reason="calm", now_us=now_us, log=log)


def test_on_and_off_without_any_ledger(tmp_path: Path) -> None:
    home = Home(tmp_path / "new" / "home")
    assert kill_state(home) is None
    assert engage(home, 5)
    assert kill_state(home) == STATE
    assert not engage_kill(home, author="bob", reason="too", now_us=6)
    assert kill_state(home) == STATE
    assert release(home, 7)
    assert not release(home, 8)
    assert kill_state(home) is None
    assert list(home.kill.parent.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff" * 10, b'{"since_us": "x"}'])
def test_a_file_that_cannot_be_read_still_counts_as_on(tmp_path: Path, content: bytes) -> None:
    home = Home(tmp_path)
    home.kill.parent.mkdir()
    home.kill.write_bytes(content)
    assert kill_state(home) == KillState()


def test_a_directory_in_its_place_counts_as_on(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.kill.mkdir(parents=True)
    assert kill_state(home) == KillState()
    with pytest.raises(StorageError):
        release(home, 1)


def test_it_works_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(kill, "write_durably", full)
    assert engage(Home(tmp_path), 1)
    assert kill_state(Home(tmp_path)) == KillState()


def test_a_home_that_cannot_hold_it_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="kill"):
        engage(Home(tmp_path / "file"), 1)


def test_who_and_why_are_mandatory(tmp_path: Path) -> None:
    for author, reason in ((" ", "x"), ("x", "")):
        with pytest.raises(InvalidInput):
            engage_kill(Home(tmp_path), author=author, reason=reason, now_us=1)
    assert kill_state(Home(tmp_path)) is None


def test_its_moves_are_logged_when_there_is_a_ledger(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with open_ledger(home) as ledger:
        engage(home, 1, ledger)
        engage(home, 2, ledger)
        release(home, 3, ledger)
        assert [(e.action, e.at_us) for e in ledger.audit()] == [("kill.off", 3), ("kill.on", 1)]
