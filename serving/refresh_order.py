"""Whose turn it is to be looked at again, because time alone changes features."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, KeysView
from itertools import islice

#: At most so many tenants at a time, so that what has really changed never waits long.
MOST = 2_000


class RefreshOrder:
    """Tenants by when they were last decided, oldest first."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()

    def reset(self, tenants: Iterable[str], now_us: int) -> None:
        """Exactly these tenants, all decided at ``now_us``."""
        self._seen = OrderedDict.fromkeys(tenants, now_us)

    def note(self, tenants: Iterable[str], now_us: int) -> None:
        """These were decided at ``now_us``."""
        for tenant in tenants:
            self._seen[tenant] = now_us
            self._seen.move_to_end(tenant)

    def forget(self, tenants: Iterable[str]) -> None:
        """These are no tenants any more."""
        for tenant in tenants:
            self._seen.pop(tenant, None)

    def known(self) -> KeysView[str]:
        """Every tenant, as a set-like view."""
        return self._seen.keys()

    def due(self, now_us: int, interval_us: int) -> frozenset[str]:
        """The longest unseen of those unseen for half an interval, a small part of all at a time.

        Asked every few seconds, everybody's turn comes well within one interval, in slices.
        """
        count = min(MOST, 1 + len(self._seen) // 64)
        longest = islice(self._seen.items(), count)
        return frozenset(name for name, seen in longest if now_us - seen >= interval_us // 2)
