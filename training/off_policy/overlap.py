"""Whether logged rows can speak about a policy: effective rows, events, organisations, tails.

Everything here depends on weights, not on how well the policy did, so refusing on it does not
select flattering estimates. Because the whole logged distribution is known, not just the drawn
arm's probability, the weights' moments are also computed exactly: huge weights that happened not to
be drawn are seen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from training.dataset import Floats
from training.off_policy.logged import LoggedBandit


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How much of the log bears on a policy.

    ``effective_rows``: Kish's sample size of the weights, the smaller of what was drawn and what
    the logged probabilities promise. ``effective_events``: the same over drawn rows with an event.
    ``tail_events``: events that a sample without heavy tails would need for the same skewness, from
    the exact second and third moments of the weights. ``effective_organisations``: Kish over
    organisations' total weight. ``largest_row`` and ``largest_organisation``: biggest share of all
    weight. ``unsupported``: the policy's mean probability on arms that were never possible.
    """

    rows: int
    organisations: int
    effective_rows: float
    effective_events: float
    tail_events: float
    effective_organisations: float
    largest_row: float
    largest_organisation: float
    unsupported: float

    def figures(self) -> dict[str, float]:
        """All of them by name."""
        return {name: float(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapRule:
    """Least overlap at which a number is reported. Chosen by measured coverage (see the page)."""

    min_effective_rows: float = 100.0
    min_effective_events: float = 50.0
    min_tail_events: float = 10.0
    min_effective_organisations: float = 30.0
    max_row_share: float = 0.05
    max_organisation_share: float = 0.15
    max_unsupported: float = 0.001

    def of_weights(self) -> OverlapRule:
        """The same rule without its demands on events: for a weight total that only divides."""
        return replace(self, min_effective_events=0.0, min_tail_events=0.0)

    def objection(self, found: Overlap) -> str:
        """Why ``found`` is too little, "" if it is enough."""
        floors = (
            ("effective rows", found.effective_rows, self.min_effective_rows),
            ("effective events", found.effective_events, self.min_effective_events),
            ("events after heavy weights", found.tail_events, self.min_tail_events),
            ("effective organisations", found.effective_organisations,
             self.min_effective_organisations),
        )  # fmt: skip
        ceilings = (
            ("of the policy was never possible", found.unsupported, self.max_unsupported),
            ("of all weight is one row", found.largest_row, self.max_row_share),
            ("of all weight is one organisation", found.largest_organisation,
             self.max_organisation_share),
        )  # fmt: skip
        said = [f"{v:.3%} {name}, at most {top:.3%}" for name, v, top in ceilings if not v <= top]
        said += [f"{v:.1f} {name}, {low:g} are needed" for name, v, low in floors if not v >= low]
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class Refused:
    """No number, and why. An expected answer, not an error."""

    reason: str
    overlap: Overlap | None = None


def overlap(logged: LoggedBandit, policy: Floats, baseline: Floats | None = None) -> Overlap:
    """Overlap of ``policy`` ``[n, A]`` with the log, or of its difference from ``baseline``.

    The weight of a row is policy / logged probability of the assigned arm; for a difference it is
    |policy - baseline| / logged probability: rows on which both agree say nothing about it.
    """
    moved = policy if baseline is None else np.abs(policy - baseline)
    possible = logged.offered > 0.0
    weight = logged.assigned(moved) / logged.propensity
    total = float(weight.sum())
    organisation = np.asarray(np.bincount(logged.cluster, weights=weight), dtype=np.float64)
    ratio = np.divide(moved, logged.offered, out=np.zeros_like(moved), where=possible)
    second = float((moved * ratio).sum())
    third = float((moved * ratio * ratio).sum())
    events = logged.events
    rate = float(weight[events].sum()) / total if total > 0.0 else 0.0
    return Overlap(
        rows=len(logged),
        organisations=len(np.unique(logged.cluster)),
        effective_rows=min(kish(weight), _share(float((moved * possible).sum()) ** 2, second)),
        effective_events=kish(weight[events]),
        tail_events=rate * _share(second**3, third**2),
        effective_organisations=kish(organisation),
        largest_row=_share(float(weight.max()), total),
        largest_organisation=_share(float(organisation.max()), total),
        unsupported=float((moved * ~possible).sum()) / len(logged),
    )


def kish(weight: Floats) -> float:
    """Kish's effective sample size ``(Σw)² / Σw²`` of weights ``[n]``; 0 without any weight."""
    return _share(float(weight.sum()) ** 2, float((weight**2).sum()))


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 else 0.0
