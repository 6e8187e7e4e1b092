"""Counters under any requests and limit changes: nothing is reset, nothing given away."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from flyball.enforcement.bucket import Bucket
from flyball.enforcement.counters import Ask, Counters
from flyball.enforcement.slots import Entry, Slots
from flyball.enforcement.terms import LimitTerms, Terms
from flyball.limit import LimitKind

WINDOW_US = 60_000_000

#: (microseconds that pass, limit from then on or None, units asked for)
Step = tuple[int, int | None, int]
STEPS = st.lists(
    st.tuples(
        st.integers(0, 90_000_000),
        st.none() | st.integers(1, 200),
        st.integers(1, 30),
    ),
    min_size=1,
    max_size=60,
)


def _run(
    steps: Iterable[Step], first: int
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    """What passed, as (time, units, limit then), and the limits in force, as (since, limit)."""
    now, limit = 0, first
    bucket = Bucket(limit=limit, window_us=WINDOW_US, at_us=0)
    passed, limits = [], [(0, first)]
    for gap, change, units in steps:
        now += gap
        if change is not None:
            limit = change
            bucket.adjust(limit=limit, window_us=WINDOW_US, at_us=now)
            limits.append((now, limit))
        if bucket.wait_us(units, size=limit, now_us=now) == 0:
            bucket.take(units)
            passed.append((now, units, limit))
    return passed, limits


@given(STEPS, st.integers(1, 200), st.integers(1, 300))
def test_one_look_says_what_three_questions_say(steps: list[Step], first: int, size: int) -> None:
    bucket, limit, now = Bucket(limit=first, window_us=WINDOW_US, at_us=0), first, 0
    for gap, change, units in steps:
        now += gap
        if change is not None:
            limit = change
            bucket.adjust(limit=limit, window_us=WINDOW_US, at_us=now)
        asked = Bucket.resumed(bucket.kept)
        told = bucket.look(units, size=size, now_us=now)
        wait = asked.wait_us(units, size=size, now_us=now)
        left = asked.remaining(size=size, now_us=now)
        assert told == (wait, left, asked.empty_in_us(now))
        bucket.take(units)


def _integral(limits: list[tuple[int, int]], start: int, end: int) -> int:
    """Sum of limit x microseconds between two times."""
    total = 0
    for place, (since, limit) in enumerate(limits):
        until = limits[place + 1][0] if place + 1 < len(limits) else end
        total += limit * max(0, min(until, end) - max(since, start))
    return total


@given(STEPS, st.integers(1, 200))
def test_what_passes_never_exceeds_the_limits_in_force_plus_one_bucket(
    steps: list[Step], first: int
) -> None:
    passed, limits = _run(steps, first)
    for begin in range(len(passed)):
        for end in range(begin, len(passed)):
            at, units, in_force = passed[end]
            total = sum(u for _, u, _ in passed[begin : end + 1])
            allowed = max(in_force, units) * WINDOW_US + _integral(limits, passed[begin][0], at)
            assert total * WINDOW_US <= allowed


@given(STEPS)
def test_changing_a_limit_back_and_forth_gives_nothing(steps: list[Step]) -> None:
    steady = Bucket(limit=100, window_us=WINDOW_US, at_us=0)
    shaken = Bucket(limit=100, window_us=WINDOW_US, at_us=0)
    now = 0
    for gap, change, units in steps:
        now += gap
        if change is not None:
            shaken.adjust(limit=change, window_us=WINDOW_US, at_us=now)
            shaken.adjust(limit=100, window_us=WINDOW_US, at_us=now)
        waits = [bucket.wait_us(units, size=100, now_us=now) for bucket in (steady, shaken)]
        assert waits[0] == waits[1]
        if waits[0] == 0:
            steady.take(units)
            shaken.take(units)


@given(STEPS, st.integers(1, 200))
def test_after_the_stated_wait_a_request_passes_and_not_a_microsecond_before(
    steps: list[Step], limit: int
) -> None:
    bucket = Bucket(limit=limit, window_us=WINDOW_US, at_us=0)
    now = 0
    for gap, _, units in steps:
        now += gap
        wait = bucket.wait_us(units, size=limit, now_us=now)
        if wait:
            assert bucket.wait_us(units, size=limit, now_us=now + wait - 1) > 0
            now += wait
            assert bucket.wait_us(units, size=limit, now_us=now) == 0
        bucket.take(units)


@given(st.lists(st.integers(0, 2_000_000), min_size=1, max_size=120), st.integers(1, 20))
def test_whoever_stays_below_the_limit_in_every_window_is_never_refused(
    gaps: list[int], limit: int
) -> None:
    terms = Terms(
        tenant_id="t",
        source="fresh",
        limits=(
            LimitTerms(meter="api.requests", kind=LimitKind.RATE, limit=limit, window_seconds=60),
        ),
    )
    counters, now, times = Counters(), 0, list[int]()
    for gap in gaps:
        now += gap
        if sum(1 for t in times if t > now - WINDOW_US) >= limit:
            continue
        assert counters.admit(terms, Ask(), now).passes
        times.append(now)


@given(
    st.lists(st.tuples(st.sampled_from(["ask", "leave", "cap"]), st.integers(1, 6)), max_size=80)
)
def test_slots_hold_at_most_the_cap_and_serve_in_order(moves: list[tuple[str, int]]) -> None:
    slots, cap, number = Slots(), 3, 0
    running: list[object] = []
    queue: list[object] = []
    for move, size in moves:
        if move == "ask":
            number += 1
            entry = slots.enter(number, cap=cap, queue=4)
            if entry is Entry.ENTERED:
                assert not queue
                assert len(running) < cap
                running.append(number)
            elif entry is Entry.QUEUED:
                queue.append(number)
            else:
                assert len(queue) == 4
        elif move == "leave" and running:
            slots.leave(running.pop(0))
        elif move == "cap":
            cap = size
        admitted = slots.admit(cap)
        assert admitted == queue[: len(admitted)]
        assert not admitted or len(running) + len(admitted) <= cap
        queue = queue[len(admitted) :]
        running += admitted
        assert slots.held == len(running)
        assert slots.waiting == len(queue)
