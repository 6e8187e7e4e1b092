"""What a plan's limits come to under an arm: the limits of a decision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flyball.arm import NEUTRAL, effective_limit
from flyball.limit import LimitKind, MeterLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveEndpoint:
    """One endpoint's weight and, where the plan states one, its own limit in requests."""

    pattern: str
    weight: int
    base_limit: int | None
    effective_limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveLimit:
    """One limit as it is to be enforced.

    ``window_seconds`` is None for concurrency and storage. ``burst`` (units at once), ``soft``
    (hundredths of the effective limit above which service may degrade) and ``paid`` (an exhausted
    allowance is a matter of payment) are what the plan states of them.
    """

    meter: str
    kind: LimitKind
    base_limit: int
    effective_limit: int
    window_seconds: int | None
    burst: int | None = None
    soft: int | None = None
    paid: bool = False
    endpoints: tuple[EffectiveEndpoint, ...] = ()

    @property
    def enforce_friction(self) -> bool:
        """True exactly when this limit is below its base."""
        return self.effective_limit < self.base_limit


def effective_limits(
    limits: Sequence[MeterLimit], arm: int, floors: Sequence[int] = ()
) -> tuple[EffectiveLimit, ...]:
    """Every limit under ``arm``, in the same order.

    Parameters
    ----------
    arm:
        Multiplier in integer hundredths; the same for every limit.
    floors:
        The lowest multiplier of each limit, see :func:`storage_floors`; empty for none.

    Examples
    --------
    >>> from flyball.limit import Limit
    >>> pace = MeterLimit("api.requests", Limit(base=999, contract=500))
    >>> [limit.effective_limit for limit in effective_limits([pace], 70)]
    [700]
    """
    lowest = floors or (0,) * len(limits)
    return tuple(
        _effective(item, max(arm, floor)) for item, floor in zip(limits, lowest, strict=True)
    )


def _effective(item: MeterLimit, arm: int) -> EffectiveLimit:
    limit = item.limit
    return EffectiveLimit(
        meter=item.meter,
        kind=limit.kind,
        base_limit=limit.base,
        effective_limit=effective_limit(limit.base, arm),
        window_seconds=limit.counting_seconds,
        burst=limit.burst,
        soft=limit.soft,
        paid=limit.paid,
        endpoints=tuple(
            EffectiveEndpoint(
                pattern=endpoint.pattern,
                weight=endpoint.weight,
                base_limit=endpoint.base,
                effective_limit=(
                    None if endpoint.base is None else effective_limit(endpoint.base, arm)
                ),
            )
            for endpoint in limit.endpoints
        ),
    )


def storage_floors(
    limits: Sequence[MeterLimit], arm: int, stored: Mapping[str, float]
) -> tuple[int, ...]:
    """The lowest multiplier of each limit that keeps what is stored; empty where none binds.

    Parameters
    ----------
    arm:
        The arm served. Floors that neither it nor 100 (what the ladder may serve instead) would
        undercut are left out, so that a tenant's storage changes a decision only where it matters.
    stored:
        Meter to what the tenant has stored (≥ 0). A storage meter that is not in it is not
        tightened, because nobody knows what that would cut off.

    Returns
    -------
    tuple of int
        Hundredths, one for each limit (0 for none), or ().
    """
    lowest = min(arm, NEUTRAL)
    floors = tuple(
        floor
        if item.limit.kind is LimitKind.STORAGE
        and (floor := storage_floor(item.limit.base, stored.get(item.meter))) > lowest
        else 0
        for item in limits
    )
    return floors if any(floors) else ()


def storage_floor(base: int, stored: float | None) -> int:
    """The lowest multiplier, in hundredths, under which ``base`` holds ``stored``.

    Examples
    --------
    >>> storage_floor(1_000, 921), storage_floor(1_000, None), storage_floor(10, 31)
    (93, 100, 310)
    """
    if stored is None:
        return NEUTRAL
    return -(-math.ceil(stored) * 100 // base)
