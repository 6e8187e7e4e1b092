"""Our words in Envoy's: units of time, header lists, metadata that its filters read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flyball.enforcement.counters import REQUEST_METER
from flyball.enforcement.terms import LimitTerms, Terms
from flyball.limit import LimitKind
from serving.envoy import messages_pb2 as pb
from serving.terms_book import Decided

#: Numbers in Envoy's messages have 32 bits.
MOST = 0xFFFF_FFFF

_UNITS = {1: "SECOND", 60: "MINUTE", 3_600: "HOUR", 86_400: "DAY", 30 * 86_400: "MONTH"}


def unit_of(window_seconds: int | None) -> str | None:
    """Envoy's unit of so many seconds; None where it has none."""
    return None if window_seconds is None else _UNITS.get(window_seconds)


def window_of(unit: int) -> int | None:
    """Seconds of Envoy's unit; None for an unknown one and for years."""
    names = {int(pb.RateLimitUnit.Value(name)): seconds for seconds, name in _UNITS.items()}
    return names.get(unit)


def request_limit(terms: Terms) -> LimitTerms | None:
    """The limit on the pace or number of requests; None where the plan has none."""
    kinds = (LimitKind.RATE, LimitKind.QUOTA)
    return next((x for x in terms.limits if x.meter == REQUEST_METER and x.kind in kinds), None)


def override_of(limit: LimitTerms | None) -> dict[str, Any] | None:
    """What Envoy's rate limit filter takes as a limit of its own for this request.

    See ``rate_limits.limit.dynamic_metadata`` of a route: a structure of ``requests_per_unit`` and
    ``unit``.
    """
    unit = None if limit is None else unit_of(limit.window_seconds)
    if limit is None or unit is None:
        return None
    return {"requests_per_unit": min(limit.limit, MOST), "unit": unit}


def metadata_of(terms: Terms, decided: Decided) -> dict[str, Any]:
    """What goes into the request's dynamic metadata; nothing here is a probability."""
    metadata: dict[str, Any] = {
        "tenant": decided.tenantId,
        "multiplier": decided.dynamicMultiplier,
        "enforce_friction": decided.enforceFriction,
        "source": decided.source,
    }
    for name, value in (
        ("base_limit", decided.baseLimit),
        ("effective_limit", decided.effectiveLimit),
        ("window_seconds", decided.windowSeconds),
        ("decision_id", decided.decisionId),
    ):
        if value is not None:
            metadata[name] = value
    override = override_of(request_limit(terms))
    if override is not None:
        metadata["limit"] = override
    return metadata


def overwriting(fields: Iterable[tuple[str, str]]) -> list[Any]:
    """Header options that replace what a client may have sent under the same names."""
    return [
        pb.HeaderValueOption(
            header=pb.HeaderValue(key=name, value=value),
            append_action=pb.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
        )
        for name, value in fields
    ]


def plain(fields: Iterable[tuple[str, str]]) -> list[Any]:
    """Headers without an option."""
    return [pb.HeaderValue(key=name, value=value) for name, value in fields]
