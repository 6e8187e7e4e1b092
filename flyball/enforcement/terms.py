"""What a decision means for requests: its limits as they are enforced.

Read from the decision's JSON (``docs/reference/decisions-api.md``), so that every gateway, whatever
way the decision came, enforces the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flyball.errors import InvalidInput
from flyball.limit import LimitKind


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointTerms:
    """A pattern's own weight in units of the meter, and its own limit, if it has one."""

    pattern: str
    weight: int = 1
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitTerms:
    """One limit as it is enforced.

    ``limit`` is in units of ``meter`` per ``window_seconds`` (None for concurrency and storage).
    ``burst`` is how many units may come at once; None: as many as the limit itself, so that whoever
    stays within the limit over any window is never refused. ``soft`` is in hundredths of the limit.
    ``paid``: exhausted, it is a matter of payment.
    """

    meter: str
    kind: LimitKind
    limit: int
    window_seconds: int | None = None
    burst: int | None = None
    soft: int | None = None
    paid: bool = False
    endpoints: tuple[EndpointTerms, ...] = ()

    @property
    def size(self) -> int:
        """How many units may come at once."""
        return self.limit if self.burst is None else self.burst


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is enforced for one tenant. Without limits (an unknown tenant): nothing of ours.

    ``source`` is the rung of the ladder that the decision came from, and not for tenants' eyes
    beyond the header that names it. ``since_us`` is from when on these limits are in force here;
    None: from when they are first used. ``friction``: whether some limit is below its base.
    """

    tenant_id: str
    limits: tuple[LimitTerms, ...]
    source: str
    since_us: int | None = None
    friction: bool = False


def terms_from(document: Mapping[str, object], *, since_us: int | None = None) -> Terms:
    """Read a decision's JSON.

    Without friction (``enforceFriction`` false) no limit is below its base, whatever is written.

    Raises
    ------
    InvalidInput
        It is not a decision.
    """
    try:
        friction = document["enforceFriction"] is True
        raw = document.get("limits")
        limits = () if raw is None else tuple(_limit(part, friction) for part in _objects(raw))
        return Terms(
            tenant_id=str(document["tenantId"]),
            limits=limits,
            source=str(document["source"]),
            since_us=since_us,
            friction=friction,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"This is not a decision: {type(error).__name__} {error}.",
            "Give the JSON of GET /v1/decisions/{tenantId}.",
            field="decision",
        ) from error


def _objects(raw: object) -> Sequence[Mapping[str, object]]:
    if not isinstance(raw, Sequence) or not all(isinstance(part, Mapping) for part in raw):
        raise TypeError("a list of objects is expected")
    return raw


def _whole(raw: object, least: int) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < least:
        raise ValueError(f"{raw!r} is not a whole number from {least} on")
    return raw


def enforced_limit(base: int, effective: int, *, friction: bool) -> int:
    """The number that requests are held to: never below the base limit without friction.

    Examples
    --------
    >>> enforced_limit(100, 85, friction=True), enforced_limit(100, 85, friction=False)
    (85, 100)
    """
    return effective if friction else max(base, effective)


def _limit(raw: Mapping[str, object], friction: bool) -> LimitTerms:
    kind = LimitKind(str(raw["kind"]))
    windowed = kind in (LimitKind.RATE, LimitKind.QUOTA)
    burst, soft = raw.get("burst"), raw.get("soft")
    return LimitTerms(
        meter=str(raw["meter"]),
        kind=kind,
        limit=enforced_limit(
            _whole(raw["baseLimit"], 1), _whole(raw["effectiveLimit"], 1), friction=friction
        ),
        window_seconds=_whole(raw["windowSeconds"], 1) if windowed else None,
        burst=None if burst is None else _whole(burst, 1),
        soft=None if soft is None else min(100, _whole(soft, 0)),
        paid=raw.get("paid") is True,
        endpoints=tuple(_endpoint(part, friction) for part in _objects(raw.get("endpoints") or ())),
    )


def _endpoint(raw: Mapping[str, object], friction: bool) -> EndpointTerms:
    base, effective = raw.get("baseLimit"), raw.get("effectiveLimit")
    own = base is not None and effective is not None
    return EndpointTerms(
        pattern=str(raw["pattern"]),
        weight=_whole(raw.get("weight", 1), 0),
        limit=(
            enforced_limit(_whole(base, 1), _whole(effective, 1), friction=friction)
            if own
            else None
        ),
    )
