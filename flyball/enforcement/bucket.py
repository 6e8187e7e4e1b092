"""A token bucket that a change of its limit neither empties nor fills.

Most buckets store what is left, and then a change of the limit has to invent a new "left": that is
how counters get reset. This one stores what is *in use*, which drains at the limit's rate. A limit
that changes only drains otherwise from then on, and is compared with another size; what was used
stays used.

Everything is an integer: what is in use is counted in units x microseconds of the window, so that
draining for one microsecond at ``limit`` units a window takes away exactly ``limit``. Times are
microseconds of any one clock; a clock that goes back drains nothing.

Over any stretch of time, whatever the limit did in between, a bucket lets through at most its size
when it let the last unit through, plus the integral of the limits in force.
"""

from __future__ import annotations


class Bucket:
    """What one tenant has in use of one meter.

    Parameters
    ----------
    limit:
        Units per window (≥ 1).
    window_us:
        Length of the window (≥ 1).
    at_us:
        Now.

    Examples
    --------
    >>> bucket = Bucket(limit=60, window_us=60_000_000, at_us=0)
    >>> bucket.take(60)
    >>> bucket.wait_us(1, size=60, now_us=0)
    1000000
    >>> bucket.adjust(limit=30, window_us=60_000_000, at_us=0)
    >>> bucket.wait_us(1, size=30, now_us=0)  # 60 are still in use: 31 must drain, one in 2 s
    62000000
    """

    __slots__ = ("_at_us", "_level", "_limit", "_window_us")

    def __init__(self, *, limit: int, window_us: int, at_us: int) -> None:
        self._limit = limit
        self._window_us = window_us
        self._at_us = at_us
        self._level = 0

    def adjust(self, *, limit: int, window_us: int, at_us: int) -> None:
        """Let another limit be in force from ``at_us`` on; what is in use stays in use."""
        if limit == self._limit and window_us == self._window_us:
            return
        self._drain(at_us)
        if window_us != self._window_us:
            # Rounded up: a change must not give anything away.
            self._level = -(-self._level * window_us // self._window_us)
            self._window_us = window_us
        self._limit = limit

    def wait_us(self, units: int, *, size: int, now_us: int) -> int:
        """How long until ``units`` may pass; 0: now.

        ``size`` is how many units the bucket holds. What costs more than that passes when nothing
        is in use, and is drained in full before the next.
        """
        self._drain(now_us)
        asked = min(units, size)
        over = self._level + (asked - size) * self._window_us
        return 0 if over <= 0 else -(-over // self._limit)

    def look(self, units: int, *, size: int, now_us: int) -> tuple[int, int, int]:
        """:meth:`wait_us`, :meth:`remaining` and :meth:`empty_in_us` at once."""
        self._drain(now_us)
        level, limit = self._level, self._limit
        over = level + ((units if units < size else size) - size) * self._window_us
        return (
            0 if over <= 0 else -(-over // limit),
            max(0, size - -(-level // self._window_us)),
            -(-level // limit),
        )

    def take(self, units: int) -> None:
        """Count ``units`` as in use, now."""
        self._level += units * self._window_us

    def give_back(self, units: int) -> None:
        """Undo a :meth:`take` whose request was not served after all."""
        self._level = max(0, self._level - units * self._window_us)

    def remaining(self, *, size: int, now_us: int) -> int:
        """Whole units that could pass now."""
        self._drain(now_us)
        return max(0, size - -(-self._level // self._window_us))

    def empty_in_us(self, now_us: int) -> int:
        """How long until nothing is in use; 0: the bucket may as well be forgotten."""
        self._drain(now_us)
        return -(-self._level // self._limit)

    @classmethod
    def resumed(cls, kept: tuple[int, int, int, int]) -> Bucket:
        """Go on from what :attr:`kept` said elsewhere (in a file, in another process)."""
        bucket = cls(limit=kept[2], window_us=kept[3], at_us=kept[1])
        bucket._level = kept[0]
        return bucket

    @property
    def kept(self) -> tuple[int, int, int, int]:
        """What :meth:`resumed` needs: in use, time (µs), limit, window (µs)."""
        return self._level, self._at_us, self._limit, self._window_us

    def _drain(self, now_us: int) -> None:
        if now_us > self._at_us:
            self._level = max(0, self._level - self._limit * (now_us - self._at_us))
            self._at_us = now_us
