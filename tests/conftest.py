"""Which tests share a process (``make test``); and no example of a property is timed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

# A busy machine may take long over any one example; how fast something is, benchmarks say.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


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
