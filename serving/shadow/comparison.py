"""Champion and challenger side by side: what differs, by how much, and how sure that is.

Intervals are 95 % and clustered by organisation, whose tenants and periods go together: the
standard error of a mean of n rows is sqrt(G / (G - 1) · Σ_g (Σ_i (y_i - mean))²) / n over its G
organisations (Liang & Zeger 1986, the linear case). Below :data:`LEAST_ORGANISATIONS` that
approximation does not hold, and below :data:`LEAST_EVENTS` a rate says nothing: then the figure is
there and the interval is not, which reads "insufficient evidence".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flyball.arm import NEUTRAL
from ledger.shadow import MaturedShadow, Said, ShadowCost

LEAST_ORGANISATIONS = 30
LEAST_EVENTS = 30
_Z = 1.959963984540054
_OUTCOMES = {"upgrade": "upgraded", "downgrade": "downgraded", "churn": "churned"}
_SMALLEST = 1e-6

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean with its interval; ``low`` and ``high`` are None where evidence is insufficient."""

    value: float
    low: float | None = None
    high: float | None = None

    def plain(self) -> dict[str, float | None]:
        """JSON-ready."""
        return {"mean": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """Challenger minus champion in one probability per period, under the arm that was served."""

    outcome: str
    champion: float
    challenger: float
    difference: Mean
    quantiles: tuple[float, float, float]

    def plain(self) -> dict[str, object]:
        """JSON-ready; quantiles are 5, 50 and 95 %."""
        return {
            "champion": self.champion,
            "challenger": self.challenger,
            "difference": self.difference.plain(),
            "quantiles": dict(zip(("p05", "p50", "p95"), self.quantiles, strict=True)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Said and seen for one outcome, over periods that are over.

    ``log_loss`` is challenger minus champion: below 0 the challenger is better.
    """

    outcome: str
    periods: int
    events: int
    observed: float
    champion: Mean
    challenger: Mean
    log_loss: Mean

    @property
    def sufficient(self) -> bool:
        """Whether there are events and organisations enough to tell the two apart."""
        return self.events >= LEAST_EVENTS and self.log_loss.low is not None

    def plain(self) -> dict[str, object]:
        """JSON-ready; ``championBias`` and ``challengerBias`` are said minus seen."""
        return {
            "periods": self.periods,
            "events": self.events,
            "observed": self.observed,
            "championBias": self.champion.plain(),
            "challengerBias": self.challenger.plain(),
            "logLossDifference": self.log_loss.plain(),
            "sufficient": self.sufficient,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that was logged for one challenger.

    ``values`` are minor units a tenant and period over the value horizon: each model's own belief
    of its policy, and what the champion's model believes of the challenger's arms. They are
    predictions and no evidence of what would be earned.
    """

    champions: tuple[str, ...]
    challenger: str
    decisions: int
    organisations: int
    matured: int
    agreement: Mean | None = None
    probabilities: tuple[Differing, ...] = ()
    shares: dict[str, tuple[float, float, Mean]] = field(default_factory=dict)
    values: dict[str, Mean] = field(default_factory=dict)
    calibration: tuple[Calibration, ...] = ()
    cost: ShadowCost = field(default_factory=ShadowCost)

    @property
    def sufficient(self) -> bool:
        """Whether intervals can be given at all."""
        return self.organisations >= LEAST_ORGANISATIONS

    def plain(self) -> dict[str, Any]:
        """JSON-ready."""
        tenants = max(self.cost.tenants, 1)
        return {
            "champions": list(self.champions),
            "challenger": self.challenger,
            "decisions": self.decisions,
            "organisations": self.organisations,
            "maturedDecisions": self.matured,
            "sufficient": self.sufficient,
            "agreement": None if self.agreement is None else self.agreement.plain(),
            "probabilities": {each.outcome: each.plain() for each in self.probabilities},
            "shares": {
                name: {"champion": ours, "challenger": theirs, "difference": mean.plain()}
                for name, (ours, theirs, mean) in self.shares.items()
            },
            "predictedValueMinor": {name: mean.plain() for name, mean in self.values.items()},
            "calibration": {each.outcome: each.plain() for each in self.calibration},
            "cost": {
                "decisions": self.cost.tenants,
                "millisecondsEach": self.cost.duration_ms / tenants,
                "scoringMillisecondsEach": self.cost.scoring_ms / tenants,
            },
        }


def compare(
    rows: Sequence[MaturedShadow], challenger: str, cost: ShadowCost | None = None
) -> Comparison:
    """Compare what was logged for ``challenger``; empty rows give a comparison that says so."""
    decisions = [row[0] for row in rows]
    groups = _groups([each.organisation for each in decisions])
    matured = [each for each in rows if each[1] is not None]
    found = Comparison(
        champions=tuple(sorted({each.champion.version for each in decisions})),
        challenger=challenger,
        decisions=len(rows),
        organisations=int(groups.max()) + 1 if len(groups) else 0,
        matured=len(matured),
        cost=cost or ShadowCost(),
    )
    if not rows:
        return found
    ours = np.array([each.champion.arm for each in decisions])
    theirs = np.array([each.challenger.arm for each in decisions])
    return Comparison(
        champions=found.champions,
        challenger=challenger,
        decisions=found.decisions,
        organisations=found.organisations,
        matured=found.matured,
        agreement=_mean((ours == theirs).astype(float), groups),
        probabilities=tuple(_differing(rows, groups)),
        shares={
            "friction": _share(ours < NEUTRAL, theirs < NEUTRAL, groups),
            "overdraft": _share(ours > NEUTRAL, theirs > NEUTRAL, groups),
        },
        values=_values(rows, groups),
        calibration=tuple(_calibration(matured)),
        cost=found.cost,
    )


def _differing(rows: Sequence[MaturedShadow], groups: NDArray[np.int64]) -> list[Differing]:
    found = []
    for outcome in _OUTCOMES:
        ours, theirs, known = _pairs(rows, outcome)
        if not len(ours):
            continue
        low, middle, high = np.quantile(theirs - ours, (0.05, 0.5, 0.95)).tolist()
        found.append(
            Differing(
                outcome=outcome,
                champion=float(ours.mean()),
                challenger=float(theirs.mean()),
                difference=_mean(theirs - ours, _groups(groups[known].tolist())),
                quantiles=(low, middle, high),
            )
        )
    return found


def _share(
    ours: NDArray[np.bool_], theirs: NDArray[np.bool_], groups: NDArray[np.int64]
) -> tuple[float, float, Mean]:
    difference = theirs.astype(float) - ours.astype(float)
    return float(ours.mean()), float(theirs.mean()), _mean(difference, groups)


def _values(rows: Sequence[MaturedShadow], groups: NDArray[np.int64]) -> dict[str, Mean]:
    """Means over decisions where every figure is known; empty without any."""

    def four(row: MaturedShadow) -> tuple[float | None, ...]:
        champion, challenger = row[0].champion, row[0].challenger
        return (
            champion.advantage_minor,
            challenger.advantage_minor,
            champion.others_minor,
            challenger.others_minor,
        )

    known = [at for at, row in enumerate(rows) if None not in four(row)]
    if not known:
        return {}
    table = np.array([four(rows[at]) for at in known], dtype=float)
    own = _groups(groups[known].tolist())
    return {
        "championByItself": _mean(table[:, 0], own),
        "challengerByItself": _mean(table[:, 1], own),
        "challengersArmsByChampion": _mean(table[:, 2], own),
        "championsArmsByChallenger": _mean(table[:, 3], own),
        "differenceByChampion": _mean(table[:, 2] - table[:, 0], own),
        "differenceByChallenger": _mean(table[:, 1] - table[:, 3], own),
    }


def _calibration(matured: Sequence[MaturedShadow]) -> list[Calibration]:
    found = []
    for outcome, kind in _OUTCOMES.items():
        ours, theirs, known = _pairs(matured, outcome)
        if not len(ours):
            continue
        seen = np.array([matured[at][1] == kind for at in known], dtype=float)
        groups = _groups([matured[at][0].organisation for at in known])
        found.append(
            Calibration(
                outcome=outcome,
                periods=len(known),
                events=int(seen.sum()),
                observed=float(seen.mean()),
                champion=_mean(ours - seen, groups),
                challenger=_mean(theirs - seen, groups),
                log_loss=_mean(_log_loss(theirs, seen) - _log_loss(ours, seen), groups),
            )
        )
    return found


def _pairs(rows: Sequence[MaturedShadow], outcome: str) -> tuple[Floats, Floats, list[int]]:
    """Both models' probabilities where both have one, and which rows those are."""

    def of(said: Said) -> float | None:
        value: float | None = getattr(said, outcome)
        return value

    known = [
        at
        for at, (each, _) in enumerate(rows)
        if of(each.champion) is not None and of(each.challenger) is not None
    ]
    ours = np.array([of(rows[at][0].champion) for at in known], dtype=float)
    theirs = np.array([of(rows[at][0].challenger) for at in known], dtype=float)
    return ours, theirs, known


def _log_loss(said: Floats, seen: Floats) -> Floats:
    clipped = np.clip(said, _SMALLEST, 1.0 - _SMALLEST)
    return np.asarray(-(seen * np.log(clipped) + (1.0 - seen) * np.log1p(-clipped)))


def _groups(names: Sequence[object]) -> NDArray[np.int64]:
    """Names as codes from 0."""
    _, codes = np.unique(np.asarray(names), return_inverse=True)
    return codes.astype(np.int64).reshape(-1)


def _mean(values: Floats, groups: NDArray[np.int64]) -> Mean:
    centre = float(values.mean())
    count = int(groups.max()) + 1
    if count < LEAST_ORGANISATIONS:
        return Mean(value=centre)
    sums = np.bincount(groups, weights=values - centre, minlength=count)
    error = math.sqrt(count / (count - 1) * float((sums**2).sum())) / len(values)
    return Mean(value=centre, low=centre - _Z * error, high=centre + _Z * error)
