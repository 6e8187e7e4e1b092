"""The local copy: what is enforced for a name, answered from memory in microseconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flyball.enforcement.terms import Terms, terms_from
from flyball.errors import InvalidInput
from flyball.instant import SECOND_US
from serving.node.standing import Standing, State, changes_at_us, standing_of
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.version import Version

#: How long a look at the kill file stays good.
KILL_CHECK_US = SECOND_US // 4

_MOST_CACHED = 100_000

#: What terms follow from, beside the name.
_Mark = tuple[Version | None, State]


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
        self._cache: dict[str, tuple[_Mark, Terms]] = {}
        # The last mark, and from when until when it is right for its version.
        self._marked: tuple[_Mark, int, int] = ((None, State.OPEN), 0, 0)

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
        mark = self._mark(now_us)
        cached = self._cache.get(name)
        if cached is not None and cached[0] == mark:
            return cached[1], mark[1]
        terms = self._read(name, now_us, mark[1])
        if cached is not None and cached[1].limits == terms.limits:
            terms = cached[1]
        if len(self._cache) >= _MOST_CACHED:
            self._cache.clear()
        self._cache[name] = (mark, terms)
        return terms, mark[1]

    def _mark(self, now_us: int) -> _Mark:
        """Version and state now; looked up again when either may have changed."""
        mark, since_us, until_us = self._marked
        if mark[0] is self._taken[0] and since_us <= now_us < until_us:
            return mark
        standing = self.standing(now_us)
        mark = (standing.version, standing.state)
        until_us = now_us + KILL_CHECK_US
        if self._kill_checked_us is not None:
            until_us = min(until_us, self._kill_checked_us + KILL_CHECK_US)
        if standing.published_us is not None:
            step_us = changes_at_us(standing.published_us, now_us)
            until_us = until_us if step_us is None else min(until_us, step_us)
        self._marked = (mark, now_us, until_us)
        return mark

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
