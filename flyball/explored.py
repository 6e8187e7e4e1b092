"""Which limits a model has seen in use: under others, its effects are a guess about a new plan.

What an arm changes depends on the limit that it multiplies. After a change of plans or limits
beyond what the training window held, a policy that follows the model stays at 100 while
exploration goes on, until enough periods under the new limits have been drawn and a training has
seen them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from flyball.plan import Limit


class Terms(NamedTuple):
    """A primary meter's limit as it was in force: base and contract, and the window's length."""

    base: int
    contract: int
    window_seconds: int


class _Range(NamedTuple):
    """Base limits and contract shares that drawn periods of a plan cover."""

    low: int
    high: int
    low_share: float
    high_share: float
    periods: int


@dataclass(frozen=True, slots=True)
class ExploredLimits:
    """Drawn periods by plan and terms, from a training window."""

    periods: Mapping[str, Mapping[Terms, int]] = field(default_factory=dict)
    _ranges: dict[tuple[str, int], _Range] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for plan, known in self.periods.items():
            for terms, count in known.items():
                key = (plan, terms.window_seconds)
                share = terms.contract / terms.base
                held = self._ranges.get(key, _Range(terms.base, terms.base, share, share, 0))
                self._ranges[key] = _Range(
                    min(held.low, terms.base),
                    max(held.high, terms.base),
                    min(held.low_share, share),
                    max(held.high_share, share),
                    held.periods + count,
                )

    def covers(self, plan: str, limit: Limit, *, own: bool, least_periods: int) -> bool:
        """Whether enough was drawn under these limits of this plan.

        The very limits count, whoever had them. ``own`` limits, which single accounts were given,
        need not be met again to the unit: they count as explored inside the range of base and of
        contract share that ``least_periods`` drawn periods of the plan lie in.

        Examples
        --------
        >>> seen = ExploredLimits({"pro": {Terms(1000, 700, 60): 25}})
        >>> seen.covers("pro", Limit(base=1000, contract=700), own=False, least_periods=20)
        True
        >>> seen.covers("pro", Limit(base=1500, contract=700), own=False, least_periods=20)
        False
        """
        known = self.periods.get(plan, {})
        terms = Terms(limit.base, limit.contract, limit.window_seconds)
        if known.get(terms, 0) >= least_periods:
            return True
        found = self._ranges.get((plan, limit.window_seconds))
        if not own or found is None or found.periods < least_periods:
            return False
        share = limit.contract / limit.base
        return (
            found.low <= limit.base <= found.high and found.low_share <= share <= found.high_share
        )

    def plain(self) -> dict[str, list[list[int]]]:
        """JSON-ready: plan to ``[base, contract, window seconds, periods]``, most periods first."""
        return {
            plan: [
                [*terms, count]
                for terms, count in sorted(known.items(), key=lambda each: (-each[1], each[0]))
            ]
            for plan, known in sorted(self.periods.items())
        }


def explored_from(entry: object) -> ExploredLimits | None:
    """Read what :meth:`ExploredLimits.plain` wrote; None where it is missing or not that.

    None means that the model does not say, as older bundles do not; it is not "nothing explored".
    """
    if not isinstance(entry, Mapping):
        return None
    periods: dict[str, dict[Terms, int]] = {}
    for plan, rows in entry.items():
        if not isinstance(rows, Sequence):
            return None
        found = periods.setdefault(str(plan), {})
        for row in rows:
            if not isinstance(row, Sequence) or len(row) != 4:
                return None
            base, contract, window_seconds, count = (int(value) for value in row)
            found[Terms(base, contract, window_seconds)] = count
    return ExploredLimits(periods)
