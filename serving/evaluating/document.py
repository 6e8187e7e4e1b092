"""The JSON that ``:evaluate`` answers with."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import msgspec

from flyball.arm import effective_limit
from flyball.effective import EffectiveLimit
from flyball.endpoint import endpoint_for
from flyball.instant import SECOND_US, format_instant
from serving.evaluating.verdict import Evaluated, Evaluation
from serving.snapshot.answer import Answer
from serving.snapshot.limit_word import limit_json

_MAX_WRITTEN_LIMITS = 4_096


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """A part of the answer; its fields are the wire's, in order."""


class Current(_Part, frozen=True):
    """The decision in force."""

    dynamic_multiplier: float
    effective_limit: int | None
    decision_id: str | None
    upsell_probability: float | None
    churn_probability: float | None


class Proposed(_Part, frozen=True):
    """What the policy would choose now."""

    dynamic_multiplier: float
    effective_limit: int | None
    reasons: tuple[str, ...]
    upsell_probability: float | None
    churn_probability: float | None


class NamedEndpoint(_Part, frozen=True):
    """What the plan says of the endpoint that was named."""

    pattern: str
    weight: int
    base_limit: int | None
    effective_limit: int | None


class Document(_Part, frozen=True):
    """The whole answer: at the top what to enforce now, as in the decision."""

    tenant_id: str
    advisory: bool
    mode: str
    moved_towards_one: bool
    base_limit: int | None
    dynamic_multiplier: float
    effective_limit: int | None
    enforce_friction: bool
    window_seconds: int | None
    limits: msgspec.Raw | None
    endpoint: NamedEndpoint | None
    reasons: tuple[str, ...]
    source: str
    current: Current
    proposed: Proposed | None
    model_version: str | None
    policy: str | None
    features_as_of: str | None
    evaluated_at: str


_encode = msgspec.json.Encoder().encode


def document(
    answer: Answer, evaluated: Evaluated, now_us: int, *, endpoint: str | None = None
) -> bytes:
    """The answer as JSON.

    Parameters
    ----------
    answer:
        The decision in force.
    evaluated:
        What was found; without an evaluation only the decision in force is told.
    now_us:
        When it was asked, microseconds since the epoch.
    endpoint:
        The endpoint that was named: a path, or a method and a path.
    """
    found = evaluated.evaluation
    served, moved = (answer.arm, ()) if found is None else (found.served_arm, found.moved)
    base = answer.base_limit
    limit = answer.effective_limit
    limits = answer.limits
    if moved:
        limits = _towards_one(limits)
        # What is stored may hold the limit above its base: then it is that in every place.
        limit = limits[0].effective_limit if limits else base
    as_of_us = evaluated.as_of_us
    return _encode(
        Document(
            answer.tenant_id,
            True,
            "what_if",
            bool(moved),
            base,
            served / 100,
            limit,
            base is not None and limit is not None and limit < base,
            answer.window_seconds,
            None if limits is None else _raw(limits) if moved else _written(limits),
            _endpoint(limits, endpoint) if endpoint else None,
            (*moved, *answer.reasons) if moved else answer.reasons,
            answer.source.value,
            Current(
                answer.arm / 100,
                answer.effective_limit,
                answer.decision_id,
                answer.upgrade_probability,
                answer.churn_probability,
            ),
            None if found is None else _proposed(found, base),
            evaluated.model_version or None,
            evaluated.policy or None,
            None if as_of_us is None else _instant(as_of_us),
            _moment(now_us),
        )
    )


def _proposed(found: Evaluation, base: int | None) -> Proposed:
    chances = found.chances
    return Proposed(
        found.proposed_arm / 100,
        None if base is None else effective_limit(base, max(found.proposed_arm, found.floor)),
        found.reasons,
        None if chances is None else round(chances.upgrade, 5),
        None if chances is None else round(chances.churn, 5),
    )


#: Limits by identity, with the tuple itself so that the identity stays its own: tenants of a plan
#: share one, and hashing it would take as long as writing it.
_LIMITS: dict[int, tuple[tuple[EffectiveLimit, ...], msgspec.Raw]] = {}


def _written(limits: tuple[EffectiveLimit, ...]) -> msgspec.Raw:
    held = _LIMITS.get(id(limits))
    if held is None:
        if len(_LIMITS) >= _MAX_WRITTEN_LIMITS:
            _LIMITS.clear()
        held = _LIMITS[id(limits)] = limits, _raw(limits)
    return held[1]


def _raw(limits: tuple[EffectiveLimit, ...]) -> msgspec.Raw:
    return msgspec.Raw(_encode([*map(limit_json, limits)]))


#: The features of many tenants were read in one pass.
_instant = lru_cache(maxsize=1_024)(format_instant)


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return format_instant(seconds * SECOND_US)[:-1]


def _moment(now_us: int) -> str:
    """``format_instant``, with the second that many requests share written once."""
    seconds, micros = divmod(now_us, SECOND_US)
    return f"{_second(seconds)}.{micros:06d}Z" if micros else f"{_second(seconds)}Z"


def _towards_one(limits: tuple[EffectiveLimit, ...] | None) -> tuple[EffectiveLimit, ...] | None:
    """Every limit after a move towards 1: none below its base."""
    if limits is None:
        return None
    return tuple(
        replace(
            limit,
            effective_limit=max(limit.effective_limit, limit.base_limit),
            endpoints=tuple(
                own
                if own.base_limit is None or own.effective_limit is None
                else replace(own, effective_limit=max(own.effective_limit, own.base_limit))
                for own in limit.endpoints
            ),
        )
        for limit in limits
    )


def _endpoint(limits: tuple[EffectiveLimit, ...] | None, asked: str) -> NamedEndpoint | None:
    if not limits:
        return None
    method, _, path = asked.rpartition(" ")
    found = endpoint_for(limits[0].endpoints, method or "GET", path)
    if found is None:
        return None
    return NamedEndpoint(found.pattern, found.weight, found.base_limit, found.effective_limit)
