"""A plan's limits as the vocabulary has them, and the JSON that they become under an arm."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from flyball.arm import effective_limit
from flyball.effective import EffectiveEndpoint, EffectiveLimit
from flyball.limit import LimitKind, MeterLimit

_MAX_TAILS = 8_192


class LimitWord(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One limit. ``base`` of the primary one is 0: accounts may have their own, in the record.

    ``endpoints`` are (pattern, weight, base limit or None).
    """

    meter: str
    kind: LimitKind
    base: int
    window_seconds: int | None = None
    burst: int | None = None
    soft: int | None = None
    paid: bool = False
    endpoints: tuple[tuple[str, int, int | None], ...] = ()

    def under(self, arm: int, base: int) -> EffectiveLimit:
        """This limit with ``base`` under ``arm`` (hundredths, the floor already counted)."""
        return EffectiveLimit(
            meter=self.meter,
            kind=self.kind,
            base_limit=base,
            effective_limit=effective_limit(base, arm),
            window_seconds=self.window_seconds,
            burst=self.burst,
            soft=self.soft,
            paid=self.paid,
            endpoints=tuple(
                EffectiveEndpoint(
                    pattern=pattern,
                    weight=weight,
                    base_limit=own,
                    effective_limit=None if own is None else effective_limit(own, arm),
                )
                for pattern, weight, own in self.endpoints
            ),
        )


#: A plan's limits, the primary meter's first.
PlanWord = tuple[LimitWord, ...]
#: Index of a plan's limits (-1: no plan), and the floors of this tenant (empty: none).
TermsWord = tuple[int, tuple[int, ...]]
NO_TERMS: TermsWord = (-1, ())


def plan_word(limits: Sequence[MeterLimit]) -> PlanWord:
    """The word of a plan's limits, the primary meter's first."""
    return tuple(
        LimitWord(
            meter=item.meter,
            kind=item.limit.kind,
            base=item.limit.base if place else 0,
            window_seconds=item.limit.counting_seconds,
            burst=item.limit.burst,
            soft=item.limit.soft,
            paid=item.limit.paid,
            endpoints=tuple((e.pattern, e.weight, e.base) for e in item.limit.endpoints),
        )
        for place, item in enumerate(limits)
    )


def limits_under(
    plan: PlanWord, floors: Sequence[int], base: int, arm: int
) -> tuple[EffectiveLimit, ...]:
    """Every limit of a tenant whose primary base limit is ``base``."""
    lowest = floors or (0,) * len(plan)
    return tuple(
        word.under(max(arm, floor), word.base if place else base)
        for place, (word, floor) in enumerate(zip(plan, lowest, strict=True))
    )


def limit_json(limit: EffectiveLimit) -> dict[str, Any]:
    """One limit as the wire has it; what the plan does not state is left out."""
    found: dict[str, Any] = {
        "meter": limit.meter,
        "kind": limit.kind.value,
        "baseLimit": limit.base_limit,
        "effectiveLimit": limit.effective_limit,
        "windowSeconds": limit.window_seconds,
    }
    if limit.burst is not None:
        found["burst"] = limit.burst
    if limit.soft is not None:
        found["soft"] = limit.soft
    if limit.paid:
        found["paid"] = True
    if limit.endpoints:
        found["endpoints"] = [
            {
                "pattern": endpoint.pattern,
                "weight": endpoint.weight,
                "baseLimit": endpoint.base_limit,
                "effectiveLimit": endpoint.effective_limit,
            }
            for endpoint in limit.endpoints
        ]
    return found


class Shape(NamedTuple):
    """What answers of one terms word share under every arm.

    ``floor`` is the primary limit's, ``head`` the JSON of ``limits`` up to the primary base.
    """

    floor: int
    window: str
    head: str


class LimitTexts:
    """The JSON of limits, written once for each plan and arm rather than for each tenant.

    Parameters
    ----------
    plans, terms:
        A table's vocabulary; it grows only.
    """

    def __init__(self, plans: list[PlanWord], terms: list[TermsWord]) -> None:
        self._plans = plans
        self._terms = terms
        self.shapes: dict[int, Shape] = {}
        #: By ``terms << 10 | arm``: everything after the primary effective limit.
        self.tails: dict[int, str] = {}

    def shape(self, terms: int) -> Shape:
        """The shape of a terms word; raises IndexError if there is no such word."""
        plan, floors = self._words(terms)
        if plan:
            first = plan[0]
            head = (
                f'"limits":[{{"meter":{json.dumps(first.meter)},"kind":"{first.kind}","baseLimit":'
            )
            window = json.dumps(first.window_seconds)
            shape = Shape(floors[0] if floors else 0, window, head)
        else:
            shape = Shape(0, "null", '"limits":null')
        self.shapes[terms] = shape
        return shape

    def tail(self, terms: int, arm: int) -> str:
        """What follows the primary effective limit under ``arm``."""
        plan, floors = self._words(terms)
        first, *others = limits_under(plan, floors, 1, arm)
        rest = limit_json(first)
        for written in ("meter", "kind", "baseLimit", "effectiveLimit"):
            del rest[written]
        text = "," + _compact(rest)[1:]
        text += "," + _compact([limit_json(limit) for limit in others])[1:] if others else "]"
        if len(self.tails) >= _MAX_TAILS:
            self.tails.clear()
        self.tails[terms << 10 | arm] = text
        return text

    def _words(self, terms: int) -> tuple[PlanWord, tuple[int, ...]]:
        plan, floors = self._terms[terms]
        return (self._plans[plan] if plan >= 0 else ()), floors


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
