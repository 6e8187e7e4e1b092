"""One publisher at a time, told apart by epochs; a dead one is succeeded at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flyball.errors import Refused
from ledger.lease import PUBLISHER
from ledger.sqlite_connection import SqliteFile
from ledger.sqlite_leases import SqliteLeases
from serving.publisher_lease import PublisherLease, _this_process
from serving.snapshot.version import Version, base_name


class Clock:
    def __init__(self) -> None:
        self.us = 1_000_000_000

    def __call__(self) -> int:
        return self.us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> SqliteLeases:
    return SqliteLeases(SqliteFile(tmp_path / "ledger.sqlite"))


def claim(store: SqliteLeases, clock: Clock, tmp_path: Path) -> PublisherLease:
    # So long that the renewing thread does nothing while a test moves the clock.
    return PublisherLease(store, tmp_path / "snapshot", seconds=300, now_us=clock)


def test_a_second_claim_waits_until_the_first_has_expired(
    store: SqliteLeases, clock: Clock, tmp_path: Path
) -> None:
    first, second = claim(store, clock, tmp_path), claim(store, clock, tmp_path)
    assert first.epoch() == 1
    assert not second.hold()
    with pytest.raises(Refused, match="Another process"):
        second.epoch()
    clock.us += 301_000_000
    assert second.epoch() == 2
    with pytest.raises(Refused):
        first.epoch()
    second.close()
    assert first.epoch() == 3
    first.close()


def test_renewing_keeps_the_epoch(store: SqliteLeases, clock: Clock, tmp_path: Path) -> None:
    first, second = claim(store, clock, tmp_path), claim(store, clock, tmp_path)
    for _ in range(10):
        assert first.epoch() == 1
        assert not second.hold()
        clock.us += 150_000_000
    # Late, but nobody took it.
    clock.us += 900_000_000
    assert first.epoch() == 1
    first.close()
    second.close()


def test_the_epoch_passes_every_file_on_disk(
    store: SqliteLeases, clock: Clock, tmp_path: Path
) -> None:
    folder = tmp_path / "snapshot"
    folder.mkdir()
    (folder / base_name(Version(41, 3))).touch()
    lease = claim(store, clock, tmp_path)
    assert lease.epoch() == 42
    lease.close()


def test_a_holder_of_this_machine_that_has_ended_is_succeeded_at_once(
    store: SqliteLeases, clock: Clock, tmp_path: Path
) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from serving.publisher_lease import _this_process as me; print(me())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    dead = done.stdout.strip()
    store.take_lease(PUBLISHER, dead, now_us=clock.us, expires_us=clock.us + 300_000_000)
    lease = claim(store, clock, tmp_path)
    assert lease.epoch() == 2
    lease.close()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_a_number_that_another_process_has_now_keeps_no_lease(
    store: SqliteLeases, clock: Clock, tmp_path: Path
) -> None:
    host, boot, space, pid, started, mark = _this_process().split("/")
    ends = clock.us + 300_000_000
    store.take_lease(
        PUBLISHER,
        "/".join((host, boot, space, pid, started, mark)),
        now_us=clock.us,
        expires_us=ends,
    )
    lease = claim(store, clock, tmp_path)
    # The same process number, alive, is waited for; one that started at another time has ended.
    assert not lease.hold()
    earlier = "/".join((host, boot, space, pid, str(int(started) - 1), mark))
    store.take_lease(PUBLISHER, earlier, now_us=ends, expires_us=ends + 300_000_000)
    clock.us = ends
    assert lease.hold()
    lease.close()


@pytest.mark.parametrize("holder", ["elsewhere/boot/1/77/123/abcd", "x", "a//1/2/3/4", ""])
def test_a_holder_of_another_machine_is_waited_for(
    holder: str, store: SqliteLeases, clock: Clock, tmp_path: Path
) -> None:
    store.take_lease(PUBLISHER, holder, now_us=clock.us, expires_us=clock.us + 1_000_000)
    lease = claim(store, clock, tmp_path)
    assert not lease.hold()
    clock.us += 1_000_000
    assert lease.epoch() == 2
    lease.close()
