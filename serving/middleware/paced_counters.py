"""Counters with a short way for the request that most requests are: one unit of one rate."""

from __future__ import annotations

from flyball.enforcement.bucket import Bucket
from flyball.enforcement.counters import Counters
from serving.pace import Pace, Paced


class PacedCounters(Counters):
    """:class:`Counters` that can be asked in numbers instead of terms and verdicts.

    The same buckets by the same arithmetic: which way a request took makes no difference to the
    next one. Whatever is not plain goes the whole way, through :meth:`Counters.admit`.
    """

    @property
    def share(self) -> int:
        """How many such places share each limit."""
        return self._share

    def pass_one(self, pace: Pace, now_us: int) -> Paced | None:
        """Count one unit towards a rate; see :meth:`Pace.pass_one`."""
        bucket = self._buckets.get(pace.key)
        if bucket is None:
            bucket = self._buckets[pace.key] = Bucket(
                limit=pace.limit, window_us=pace.window_us, at_us=now_us
            )
        return pace.pass_one(bucket, now_us)
