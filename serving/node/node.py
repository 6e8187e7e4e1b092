"""The local copy: what is enforced for a name, answered from memory in microseconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flyball.enforcement.terms import Terms, terms_from
from flyball.errors import InvalidInput
from flyball.instant import SECOND_US
from serving.node.standing import Standing, State, standing_of
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.version import Version

#: How long a look at the kill file stays good.
KILL_CHECK_US = SECOND_US // 4

_MOST_CACHED = 100_000


class Node:
    """A verified copy of all decisions in a directory, seen through the node's ladder.

    Parameters
    ----------
    directory:
        Snapshot files: a mirror's, or those of a home on this machine.
    key:
        The public key that they must be signed with.
    kill:
        The node-local kill file: while it exists, everything passes.

    :meth:`refresh` is called by whoever follows; everything else from any one thread.
    """

    def __init__(self, directory: Path, key: Ed25519PublicKey, *, kill: Path | None = None) -> None:
        self.reader = SnapshotReader(directory, key)
        #: Whether what the service sends is refused before it gets here; whoever follows knows.
        self.distrusts: Callable[[], bool] = lambda: False
        self._kill = kill
        self._killed = False
        self._kill_checked_us: int | None = None
        # Version and when this node took it over, replaced together.
        self._taken: tuple[Version | None, int] = (None, 0)
        self._cache: dict[str, tuple[tuple[Version | None, State], Terms]] = {}

    def refresh(self, now_us: int) -> bool:
        """Take over what is new in the directory; True if the version changed. Never raises."""
        changed = self.reader.refresh()
        if changed:
            self._taken = (self.reader.version, now_us)
        return changed

    @property
    def version(self) -> Version | None:
        """The version held; None before the first."""
        return self.reader.version

    def standing(self, now_us: int) -> Standing:
        """What the copy is worth now."""
        return standing_of(
            self.reader.version,
            self.reader.created_us,
            now_us,
            killed=self._is_killed(now_us),
            refused=self.reader.error is not None or self.distrusts(),
        )

    def terms(self, name: str, now_us: int) -> tuple[Terms, State]:
        """What is enforced for a tenant's id or alias, and from which state.

        An open node, and an unknown name, have no limits of ours. A cached answer keeps the time
        from which its limits hold, so that a new version that changes nothing changes nothing.
        """
        standing = self.standing(now_us)
        mark = (standing.version, standing.state)
        cached = self._cache.get(name)
        if cached is not None and cached[0] == mark:
            return cached[1], standing.state
        terms = self._read(name, now_us, standing.state)
        if cached is not None and cached[1].limits == terms.limits:
            terms = cached[1]
        if len(self._cache) >= _MOST_CACHED:
            self._cache.clear()
        self._cache[name] = (mark, terms)
        return terms, standing.state

    def _read(self, name: str, now_us: int, state: State) -> Terms:
        if state is State.OPEN:
            return Terms(tenant_id=name, limits=(), source=State.OPEN.value)
        document = msgspec.json.decode(self.reader.answer(name, now_us))
        try:
            return terms_from(document, since_us=self._taken[1])
        except InvalidInput:
            # Signed, but of a kind that this version cannot enforce: never a refused request.
            return Terms(tenant_id=name, limits=(), source=State.OPEN.value)

    def _is_killed(self, now_us: int) -> bool:
        if self._kill is None:
            return False
        checked = self._kill_checked_us
        if checked is None or not 0 <= now_us - checked < KILL_CHECK_US:
            self._kill_checked_us = now_us
            self._killed = self._kill.exists()
        return self._killed
