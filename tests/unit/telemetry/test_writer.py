from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from flyball.errors import StorageError, StorageFull
from telemetry.writer import GroupCommit


def test_jobs_that_wait_for_a_flush_share_the_next_one() -> None:
    groups: list[list[int]] = []
    started, go_on = threading.Event(), threading.Event()

    def commit(jobs: Sequence[int]) -> Sequence[int]:
        groups.append(list(jobs))
        started.set()
        go_on.wait(5)
        return [job * 10 for job in jobs]

    writer = GroupCommit(commit, name="test")
    first = writer.submit(1)
    started.wait(5)
    others = [writer.submit(number) for number in (2, 3, 4)]
    go_on.set()
    assert first.result(5) == 10
    assert [future.result(5) for future in others] == [20, 30, 40]
    assert groups == [[1], [2, 3, 4]]
    writer.close()


def test_a_failed_commit_fails_its_jobs_only() -> None:
    def commit(jobs: Sequence[int]) -> Sequence[int]:
        if 13 in jobs:
            raise StorageFull("full")
        return jobs

    writer = GroupCommit(commit, name="test")
    with pytest.raises(StorageFull):
        writer.submit(13).result(5)
    assert writer.submit(1).result(5) == 1
    writer.close()


def test_closing_commits_what_is_queued() -> None:
    done: list[int] = []

    def commit(jobs: Sequence[int]) -> Sequence[int]:
        done.extend(jobs)
        return jobs

    writer = GroupCommit(commit, name="test")
    futures = [writer.submit(number) for number in range(1_000)]
    writer.close()
    assert done == list(range(1_000))
    assert all(future.done() for future in futures)
    with pytest.raises(StorageError, match="shutting down"):
        writer.submit(1)


def test_a_cancelled_job_is_not_committed() -> None:
    started, go_on = threading.Event(), threading.Event()
    done: list[int] = []

    def commit(jobs: Sequence[int]) -> Sequence[int]:
        started.set()
        go_on.wait(5)
        done.extend(jobs)
        return jobs

    writer = GroupCommit(commit, name="test")
    writer.submit(1)
    started.wait(5)
    assert writer.submit(2).cancel()
    go_on.set()
    writer.close()
    assert done == [1]
