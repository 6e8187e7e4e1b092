"""Every ledger store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.sqlite_ledger import SqliteLedger
from ledger.store import Ledger
from tests.contract.ledger_store.records import NOW, plan

#: Name to something that opens the store again and again; a second backend is one more line.
STORES: dict[str, Callable[[Path], Ledger]] = {
    "sqlite": lambda folder: SqliteLedger(folder / "ledger.sqlite"),
}


@pytest.fixture(params=sorted(STORES))
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Ledger]]:
    """Open another handle on the same store, as another process would."""
    handles: list[Ledger] = []

    def again() -> Ledger:
        handles.append(STORES[request.param](tmp_path))
        return handles[-1]

    yield again
    for handle in handles:
        handle.close()


@pytest.fixture
def ledger(opened: Callable[[], Ledger]) -> Ledger:
    """A store that knows the plans free and pro."""
    store = opened()
    store.import_plans([plan("free"), plan("pro", base=5000)], now_us=NOW)
    return store
