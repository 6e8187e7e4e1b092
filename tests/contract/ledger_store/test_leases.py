"""A lease has one holder at a time, and its epoch tells the holders apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from flyball.errors import StorageError
from ledger.lease import Lease
from ledger.sqlite_connection import SqliteFile
from ledger.sqlite_leases import SqliteLeases
from tests.contract.ledger_store.records import NOW

TTL = 10_000_000
Taken = Callable[..., Lease]


@pytest.fixture
def store(tmp_path: Path) -> SqliteLeases:
    return SqliteLeases(SqliteFile(tmp_path / "ledger.sqlite"))


@pytest.fixture
def take(store: SqliteLeases) -> Taken:
    def taken(holder: str, at: int = NOW, **more: object) -> Lease:
        return store.take_lease(
            "publisher", holder, now_us=at, expires_us=at + TTL, **more  # type: ignore[arg-type]
        )  # fmt: skip

    return taken


def test_nobody_takes_a_lease_that_another_holds(take: Taken, store: SqliteLeases) -> None:
    assert store.lease("publisher") is None
    first = take("a")
    assert (first.holder, first.epoch) == ("a", 1)
    assert take("b", NOW + TTL - 1) == first
    assert store.lease("publisher") == first


def test_the_holder_renews_under_the_same_epoch_even_late(take: Taken) -> None:
    take("a")
    renewed = take("a", NOW + TTL // 2)
    assert (renewed.epoch, renewed.expires_us) == (1, NOW + TTL // 2 + TTL)
    # Nobody took it meanwhile, so it is still its own.
    assert take("a", NOW + 5 * TTL).epoch == 1


def test_each_new_holder_has_a_larger_epoch(take: Taken) -> None:
    take("a")
    assert take("b", NOW + TTL).epoch == 2
    assert take("a", NOW + TTL).holder == "b"
    assert take("a", NOW + 2 * TTL).epoch == 3


def test_a_dropped_lease_is_free_at_once_and_only_its_holder_drops_it(
    take: Taken, store: SqliteLeases
) -> None:
    take("a")
    store.drop_lease("publisher", "b", now_us=NOW)
    assert take("b", NOW + 1).holder == "a"
    store.drop_lease("publisher", "a", now_us=NOW + 2)
    assert take("b", NOW + 2).epoch == 2


def test_a_dead_holders_lease_is_free_at_once_but_nobody_elses(take: Taken) -> None:
    take("a")
    assert take("b", dead="c").holder == "a"
    assert take("b", dead="a").epoch == 2
    assert take("c", dead="a").holder == "b"


def test_the_epoch_passes_what_is_on_disk(take: Taken) -> None:
    assert take("a", after_epoch=41).epoch == 42
    assert take("a", after_epoch=41).epoch == 42
    assert take("a", after_epoch=50).epoch == 51
    assert take("b", NOW + 2 * TTL, after_epoch=3).epoch == 52


def test_the_epoch_never_falls_and_a_lease_is_never_forgotten(
    take: Taken, store: SqliteLeases
) -> None:
    take("a")
    for statement in (
        "UPDATE lease SET epoch = 0",
        "UPDATE lease SET holder = 'b'",
        "DELETE FROM lease",
    ):
        with pytest.raises((StorageError, apsw.ConstraintError)), store.file.writing() as writing:
            writing.execute(statement)
    assert store.lease("publisher") == take("a")
