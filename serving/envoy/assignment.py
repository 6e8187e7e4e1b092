"""What one Envoy is assigned of a tenant's limit, and for how long."""

from __future__ import annotations

from typing import Any

from flyball.enforcement.terms import LimitTerms
from serving.envoy import messages_pb2 as pb
from serving.envoy.dialect import MOST

#: A bucket: its labels in order, so that two spellings of one bucket are one.
BucketKey = tuple[tuple[str, str], ...]


def bucket_key(bucket: Any) -> BucketKey:
    """The labels of a bucket id in order."""
    return tuple(sorted(bucket.bucket.items()))


def strategy_of(limit: LimitTerms | None, sharing: int) -> Any:
    """The strategy for one of ``sharing`` Envoys; None (no limit of ours) allows everything.

    A token bucket that fills evenly, because Envoy counts locally and implements no other strategy
    with a rate. Shares are rounded up: together they are never below the limit.
    """
    if limit is None:
        return pb.RateLimitStrategy(blanket_rule=pb.RateLimitStrategy.ALLOW_ALL)
    window = limit.window_seconds or 60
    fill = -(-limit.limit // sharing)
    size = -(-limit.size // sharing)
    # Numbers have 32 bits: the same rate in a shorter interval.
    while fill > MOST and window > 1:
        fill, window = -(-fill // 2), -(-window // 2)
    bucket = pb.TokenBucket(max_tokens=min(size, MOST))
    bucket.tokens_per_fill.value = min(fill, MOST)
    bucket.fill_interval.seconds = window
    return pb.RateLimitStrategy(token_bucket=bucket)


def assigned(key: BucketKey, strategy: Any, seconds: int) -> Any:
    """The action that assigns ``strategy`` to a bucket for so many seconds."""
    action = pb.RateLimitQuotaResponse.BucketAction()
    action.bucket_id.bucket.update(dict(key))
    action.quota_assignment_action.assignment_time_to_live.seconds = seconds
    action.quota_assignment_action.rate_limit_strategy.CopyFrom(strategy)
    return action


def abandoned(key: BucketKey) -> Any:
    """The action that ends a bucket which nobody has used for long."""
    action = pb.RateLimitQuotaResponse.BucketAction()
    action.bucket_id.bucket.update(dict(key))
    action.abandon_action.SetInParent()
    return action
