"""What stays the same from one request of a tenant to its next, written out once.

Most requests touch one limit, their tenant's rate, and pass. For those the counter's key, the
window and most header fields are known beforehand; only two numbers change.
"""

from __future__ import annotations

from functools import lru_cache

from flyball.endpoint import endpoint_for
from flyball.enforcement.bucket import Bucket
from flyball.enforcement.counters import REQUEST_METER, Key
from flyball.enforcement.fields import limit_fields
from flyball.enforcement.terms import EndpointTerms, LimitTerms, Terms
from flyball.enforcement.verdict import LimitState, Verdict
from flyball.instant import SECOND_US
from flyball.limit import LimitKind

#: A header field as ASGI has it.
Field = tuple[bytes, bytes]

_STANDING = f'"{REQUEST_METER}"'.encode() + b";r=%d;t=%d"
#: Larger limits go the whole way: a header field cannot say all of them (RFC 9651).
_MOST = 10**14


class Pace:
    """A tenant's rate of requests, where it is all that a plain request counts towards.

    ``limit`` and ``size`` are this process's part of them, where ``share`` processes have one each;
    ``unit_us`` is how long one unit takes to drain. Requests to ``endpoints`` count otherwise.
    """

    __slots__ = (
        "endpoints",
        "key",
        "limit",
        "limit_field",
        "policy_field",
        "rate",
        "size",
        "terms",
        "unit_us",
        "window_us",
    )

    def __init__(
        self,
        terms: Terms,
        rate: LimitTerms,
        endpoints: tuple[EndpointTerms, ...] = (),
        *,
        share: int = 1,
    ) -> None:
        self.key: Key = (terms.tenant_id, rate.meter, "")
        self.terms = terms
        self.rate = rate
        self.endpoints = endpoints
        self.limit = -(-rate.limit // share)
        self.size = -(-rate.size // share)
        self.window_us = (rate.window_seconds or 60) * SECOND_US
        self.unit_us = -(-self.window_us // self.limit)
        self.policy_field, self.limit_field = _fixed(rate.limit, rate.window_seconds)

    def is_plain(self, method: str, path: str) -> bool:
        """Whether a request counts one unit, and towards nothing else."""
        return endpoint_for(self.endpoints, method, path) is None

    def pass_one(self, bucket: Bucket, now_us: int) -> Paced | None:
        """Take one unit from the tenant's bucket.

        None: not now, and nothing was taken;
        :meth:`flyball.enforcement.counters.Counters.admit` can say why.
        """
        since_us = self.terms.since_us
        bucket.adjust(
            limit=self.limit,
            window_us=self.window_us,
            at_us=now_us if since_us is None or since_us > now_us else since_us,
        )
        wait_us, left, empty_us = bucket.look(1, size=self.size, now_us=now_us)
        if wait_us:
            return None
        bucket.take(1)
        return Paced(self, left - 1 if left > 0 else 0, empty_us + self.unit_us, now_us)


class Paced:
    """What is said of a request that passed at its pace.

    ``remaining`` is in requests; ``reset_us`` is how long until all of them are there again.
    """

    __slots__ = ("_pace", "_remaining", "_reset_us", "fields")

    passes = True

    def __init__(self, pace: Pace, remaining: int, reset_us: int, now_us: int) -> None:
        self._pace = pace
        self._remaining = remaining
        self._reset_us = reset_us
        seconds = -(-reset_us // SECOND_US)
        # What flyball.enforcement.fields.limit_fields says of the verdict.
        self.fields: list[Field] = [
            pace.policy_field,
            (b"ratelimit", _STANDING % (remaining, seconds)),
            pace.limit_field,
            (b"x-ratelimit-remaining", b"%d" % remaining),
            (b"x-ratelimit-reset", b"%d" % (seconds - (-now_us // SECOND_US))),
        ]

    @property
    def terms(self) -> Terms:
        """What is enforced for the tenant."""
        return self._pace.terms

    @property
    def verdict(self) -> Verdict:
        """The same as a verdict, for whoever asks."""
        return Verdict(states=(_state(self._pace.rate, self._remaining, self._reset_us),))


def pace_of(terms: Terms, *, share: int = 1) -> Pace | None:
    """The pace of a tenant's plain requests; None where they count towards more, or nothing."""
    counted = [
        limit
        for limit in terms.limits
        if limit.meter == REQUEST_METER and limit.kind in (LimitKind.RATE, LimitKind.QUOTA)
    ]
    if len(counted) != 1:
        return None
    rate = counted[0]
    if rate.kind is not LimitKind.RATE or max(rate.limit, rate.size) > _MOST:
        return None
    # An endpoint's weight makes a request count towards meters that it otherwise leaves alone.
    endpoints = tuple(
        endpoint
        for limit in terms.limits
        if limit.kind is not LimitKind.CONCURRENCY
        for endpoint in limit.endpoints
    )
    return Pace(terms, rate, endpoints, share=share)


def _state(rate: LimitTerms, remaining: int, reset_us: int) -> LimitState:
    return LimitState(
        policy=rate.meter,
        meter=rate.meter,
        kind=rate.kind,
        limit=rate.limit,
        window_seconds=rate.window_seconds,
        remaining=remaining,
        reset_us=reset_us,
        paid=rate.paid,
    )


@lru_cache(maxsize=4_096)
def _fixed(limit: int, window_seconds: int | None) -> tuple[Field, Field]:
    """The fields that speak of the limit alone; tenants with the same one share them."""
    rate = LimitTerms(
        meter=REQUEST_METER, kind=LimitKind.RATE, limit=limit, window_seconds=window_seconds
    )
    said = dict(limit_fields(Verdict(states=(_state(rate, limit, 0),)), 0))
    return (
        (b"ratelimit-policy", said["ratelimit-policy"].encode()),
        (b"x-ratelimit-limit", said["x-ratelimit-limit"].encode()),
    )
