"""Counters in a shared file: one count whichever process asks, nothing reset, nothing shared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flyball.enforcement.counters import Ask, Counters
from flyball.enforcement.terms import EndpointTerms, LimitTerms, Terms
from flyball.errors import StorageError
from flyball.limit import LimitKind
from serving.pace import pace_of
from serving.shared_counters import GROUP_SLOTS, LockBusy, SharedCounters

SECOND = 1_000_000
NOW = 1_767_571_200 * SECOND


def terms(tenant: str = "a", limit: int = 10, **changes: object) -> Terms:
    values: dict[str, object] = {
        "meter": "api.requests",
        "kind": LimitKind.RATE,
        "limit": limit,
        "window_seconds": 60,
    }
    return Terms(
        tenant_id=tenant,
        limits=(LimitTerms(**{**values, **changes}),),  # type: ignore[arg-type]
        source="fresh",
    )


def passed(counters: Counters, what: Terms, count: int, now_us: int = NOW) -> int:
    return sum(counters.admit(what, Ask(), now_us).passes for _ in range(count))


def stubborn(counters: Counters, what: Terms, count: int) -> int:
    """As :func:`passed`, asking again where a busy machine kept a lock too long."""
    total = 0
    while count:
        try:
            total += counters.admit(what, Ask(), NOW).passes
            count -= 1
        except LockBusy:
            continue
    return total


def test_two_views_of_one_file_count_together(tmp_path: Path) -> None:
    one, other = SharedCounters(tmp_path / "c"), SharedCounters(tmp_path / "c")
    assert passed(one, terms(), 6) == 6
    assert passed(other, terms(), 6) == 4
    assert passed(one, terms(), 1) == 0


def test_the_short_way_counts_what_has_a_slot_and_leaves_the_rest(tmp_path: Path) -> None:
    one, other = SharedCounters(tmp_path / "c"), SharedCounters(tmp_path / "c")
    pace = pace_of(terms())
    assert pace is not None
    place = one.place_of(pace.key)
    assert one.pass_one(pace, place, NOW) is None  # no slot yet
    assert passed(other, terms(), 6) == 6
    ways = [(one, other)[n % 2].pass_one(pace, place, NOW) for n in range(6)]
    assert [way is not None for way in ways] == [True] * 4 + [False] * 2
    assert passed(one, terms(), 1) == 0
    assert one.pass_one(pace, place, NOW + 6 * SECOND) is not None


def test_real_processes_together_let_through_exactly_the_limit(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.unit.serving.test_shared_counters import stubborn, terms\n"
        "from serving.shared_counters import SharedCounters\n"
        "print(stubborn(SharedCounters(Path(sys.argv[1])), terms(limit=1000), 800))\n"
    )
    root = Path(__file__).parents[3]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "c")],
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        for _ in range(3)
    ]
    counts = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(counts) == 1000


def test_a_restart_finds_what_was_in_use(tmp_path: Path) -> None:
    before = SharedCounters(tmp_path / "c")
    assert passed(before, terms(), 10) == 10
    before.close()
    assert passed(SharedCounters(tmp_path / "c"), terms(), 1) == 0


def test_a_change_of_limit_keeps_the_counter(tmp_path: Path) -> None:
    counters = SharedCounters(tmp_path / "c")
    assert passed(counters, terms(limit=10), 10) == 10
    assert passed(counters, terms(limit=15), 20) == 5
    assert passed(counters, terms(limit=7), 20) == 0


def test_the_file_gives_the_verdicts_of_counters_in_memory(tmp_path: Path) -> None:
    shared, plain = SharedCounters(tmp_path / "c"), Counters()
    quota = terms("q", 5, kind=LimitKind.QUOTA, window_seconds=86_400, soft=50)
    endpoint = terms("e", 8, endpoints=(EndpointTerms(pattern="/x*", weight=2, limit=3),))
    for step in range(40):
        now_us = NOW + step * 7 * SECOND
        for what in (terms(limit=10 if step % 5 else 4), quota, endpoint):
            ask = Ask(path="/x/1" if step % 2 else "/y")
            assert shared.admit(what, ask, now_us) == plain.admit(what, ask, now_us)


def test_tenants_never_share_a_counter_even_in_one_full_group(tmp_path: Path) -> None:
    counters = SharedCounters(tmp_path / "c", slots=GROUP_SLOTS)
    names = [f"t{number}" for number in range(3 * GROUP_SLOTS)]
    for name in names:
        assert passed(counters, terms(name, 2), 3) == 2
    for name in names:
        assert passed(counters, terms(name, 2), 1) == 0


def test_a_slot_is_given_away_only_when_nothing_is_in_use(tmp_path: Path) -> None:
    counters = SharedCounters(tmp_path / "c", slots=GROUP_SLOTS)
    for number in range(GROUP_SLOTS):
        passed(counters, terms(f"t{number}", 60), 30)
    later = NOW + 31 * SECOND
    assert passed(counters, terms("late", 60), 1, later) == 1
    other = SharedCounters(tmp_path / "c", slots=GROUP_SLOTS)
    assert other.admit(terms("late", 60), Ask(), later).states[0].remaining == 58


def test_a_lock_that_is_kept_is_not_waited_for(tmp_path: Path) -> None:
    counters = SharedCounters(tmp_path / "c", slots=GROUP_SLOTS)
    code = (
        "import fcntl, os, sys\n"
        "handle = os.open(sys.argv[1], os.O_RDWR)\n"
        "fcntl.lockf(handle, fcntl.LOCK_EX, 1, 0)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "c")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockBusy):
            counters.admit(terms(), Ask(), NOW)
        pace = pace_of(terms())
        assert pace is not None
        with pytest.raises(LockBusy):
            counters.pass_one(pace, counters.place_of(pace.key), NOW)
        holder.communicate(b"")
    assert passed(counters, terms(), 1) == 1


def test_a_damaged_file_is_replaced_and_an_unwritable_place_said(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(b"not counters")
    assert passed(SharedCounters(path), terms(), 1) == 1
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        SharedCounters(tmp_path / "file" / "c")
