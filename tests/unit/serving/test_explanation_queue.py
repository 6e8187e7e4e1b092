"""Explaining waits for deciding: newest pass first, a little in busy ticks, more in quiet ones."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.explanations import Evidence
from serving.explanation_queue import BUSY, MOST_PASSES, ExplanationQueue

Item = tuple[str, Evidence]


class Kept:
    """Remembers who was explained."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def put(self, evidence: list[Item]) -> None:
        self.names += [name for name, _ in evidence]

    def close(self) -> None:
        self.names.append("closed")


def evidence(prefix: str, count: int) -> Iterator[Item]:
    for number in range(count):
        yield f"{prefix}{number}", Evidence("d", 0, "v", 100, {}, [], {})


def test_a_busy_tick_explains_a_few_of_the_newest_first() -> None:
    kept = Kept()
    queue = ExplanationQueue(kept)  # type: ignore[arg-type]
    queue.restart(evidence("old", 1_000))
    queue.add(evidence("new", 3))
    queue.work(quiet=False)
    assert kept.names[:3] == ["new0", "new1", "new2"]
    assert len(kept.names) == BUSY


def test_quiet_ticks_finish_the_rest() -> None:
    kept = Kept()
    queue = ExplanationQueue(kept)  # type: ignore[arg-type]
    queue.restart(evidence("old", 5_000))
    for _ in range(4):
        queue.work(quiet=True)
    assert len(kept.names) == 5_000
    queue.work(quiet=True)
    queue.close()
    assert kept.names[-1] == "closed"


def test_under_lasting_load_memory_stays_bounded() -> None:
    kept = Kept()
    queue = ExplanationQueue(kept)  # type: ignore[arg-type]
    for number in range(10 * MOST_PASSES):
        queue.add(evidence(f"p{number}-", 1))
    for _ in range(10):
        queue.work(quiet=True)
    assert len(kept.names) == MOST_PASSES
