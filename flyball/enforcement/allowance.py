"""A quota: what may be used of a meter until its window ends, and how service slows before that.

Windows are the calendar's, in UTC: a day from midnight, a month from its first day, because that
is how allowances are sold. (A plan's ``month`` limit says 2,592,000 seconds.) Other lengths are
counted from 1970-01-01.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flyball.instant import SECOND_US

MONTH_SECONDS = 30 * 86_400

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def window_of(window_seconds: int, now_us: int) -> tuple[int, int]:
    """Start and end (µs, end exclusive) of the window that ``now_us`` lies in.

    Examples
    --------
    >>> window_of(60, 90_000_000)
    (60000000, 120000000)
    """
    if window_seconds == MONTH_SECONDS:
        moment = _EPOCH + timedelta(microseconds=now_us)
        first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        next_first = (first + timedelta(days=32)).replace(day=1)
        return (first - _EPOCH) // _MICROSECOND, (next_first - _EPOCH) // _MICROSECOND
    length_us = window_seconds * SECOND_US
    start_us = now_us - now_us % length_us
    return start_us, start_us + length_us


def is_soft(used: int, *, limit: int, soft: int | None) -> bool:
    """Whether more than the soft share (hundredths of ``limit``; None: there is none) is used."""
    return soft is not None and used * 100 > limit * soft


def soft_delay_us(used: int, *, limit: int, soft: int | None, longest_us: int) -> int:
    """How long a request waits because the allowance (or the storage) runs out.

    ``soft`` is in hundredths of ``limit``: up to there nothing; from there it grows evenly to
    ``longest_us`` at the limit. None: never.

    Examples
    --------
    >>> [soft_delay_us(n, limit=100, soft=80, longest_us=1000) for n in (80, 90, 100, 130)]
    [0, 500, 1000, 1000]
    """
    if soft is None or not is_soft(used, limit=limit, soft=soft):
        return 0
    if used >= limit:
        return longest_us
    return longest_us * (used * 100 - limit * soft) // (limit * (100 - soft))


class Allowance:
    """What one tenant has used of one meter in the current window.

    It knows nothing of the limit, so that a change of it cannot reset anything.
    """

    __slots__ = ("_end_us", "_used", "_window_seconds")

    def __init__(self) -> None:
        self._end_us = 0
        self._used = 0
        self._window_seconds = 0

    def used(self, window_seconds: int, now_us: int) -> int:
        """Units used in the window that ``now_us`` lies in.

        A clock that goes back stays in the later window: an allowance is never handed out twice.
        A longer window (another plan) starts with what was used so far, a shorter one anew: what
        was used in a month cannot be held against a day.
        """
        if window_seconds != self._window_seconds:
            carried = now_us < self._end_us and window_seconds > self._window_seconds
            self._window_seconds = window_seconds
            self._end_us = window_of(window_seconds, now_us)[1]
            self._used = self._used if carried else 0
        elif now_us >= self._end_us:
            self._end_us = window_of(window_seconds, now_us)[1]
            self._used = 0
        return self._used

    def resets_in_us(self, now_us: int) -> int:
        """How long the current window lasts."""
        return max(0, self._end_us - now_us)

    def take(self, units: int) -> None:
        """Count ``units``; also beyond the limit, where they are known only afterwards."""
        self._used += units

    def give_back(self, units: int) -> None:
        """Undo a :meth:`take` whose request was not served after all."""
        self._used = max(0, self._used - units)

    def resume(self, used: int, window_seconds: int, end_us: int) -> None:
        """Go on from what was kept elsewhere (a file, before a restart)."""
        self._used, self._window_seconds, self._end_us = used, window_seconds, end_us

    @property
    def kept(self) -> tuple[int, int, int]:
        """What :meth:`resume` needs: used, window (s), end of the window (µs)."""
        return self._used, self._window_seconds, self._end_us
