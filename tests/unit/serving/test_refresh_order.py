"""Everybody's turn comes within an interval, in slices, longest unseen first."""

from __future__ import annotations

from serving.refresh_order import RefreshOrder

HOUR = 3_600


def test_nobody_is_due_in_the_first_half_of_an_interval() -> None:
    order = RefreshOrder()
    order.reset([f"t{i}" for i in range(100)], 0)
    assert order.due(HOUR // 2 - 1, HOUR) == frozenset()


def test_everybody_is_seen_within_an_interval() -> None:
    order = RefreshOrder()
    names = {f"t{i}" for i in range(5_000)}
    order.reset(sorted(names), 0)
    seen: set[str] = set()
    largest = 0
    for now in range(HOUR // 2, HOUR, 5):
        due = order.due(now, HOUR)
        assert not due & seen
        order.note(due, now)
        seen |= due
        largest = max(largest, len(due))
    assert seen == names
    assert largest <= 1 + len(names) // 64


def test_who_was_decided_lately_waits() -> None:
    order = RefreshOrder()
    order.reset(["a", "b", "c"], 0)
    order.note(["a"], HOUR // 2)
    assert "a" not in order.due(HOUR // 2, HOUR)
    order.forget(["b"])
    assert order.due(HOUR // 2, HOUR) == {"c"}
    assert set(order.known()) == {"a", "c"}
