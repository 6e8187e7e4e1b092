"""Which tests share a process (``make test``) and where their files go; no property is timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import memory_disk

# A busy machine may take long over any one example; how fast something is, benchmarks say.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


_PLACE = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Put temporary files into memory; xdist's processes are started with where that is."""
    if not hasattr(config, "workerinput") and not config.getoption("basetemp"):
        place = memory_disk.settle()
        if place is not None:
            config.stash[_PLACE] = place


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Give the memory back, unless somebody will want to see why a test failed."""
    if _PLACE in session.config.stash and exitstatus in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
        memory_disk.leave(session.config.stash[_PLACE])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """With ``--dist loadfile``, keep whole rooms together where they share costly fixtures.

    A trained home, a served console or an imported population takes longer to make than most tests
    that use it; spread over processes, each process would make its own.
    """
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

    class Rooms(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return room_of(nodeid.partition("::")[0])

    return Rooms(config, log)


def room_of(path: str) -> str:
    """A room of integration tests, all browser tests, or the one file."""
    parts = path.split("/")
    whole = {"integration": 3, "browser": 2}.get(parts[1], len(parts))
    return "/".join(parts[:whole])
