"""How good predictions are: proper scores, ranking, calibration; overall and by group.

Predictions at m = 1 are first moved to the arm that was assigned (see ``training.calibration``),
because that is what the outcome happened under.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from training.calibration import newton_logit, shifted
from training.dataset import Bools, Dataset, Floats, Ints
from training.outcome import OUTCOMES
from training.risk import row_log_loss

BINS = 10
#: Groups with fewer events are left out of per-group tables.
MIN_GROUP_EVENTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One outcome on the test rows.

    ``probability`` (candidate, under the assigned arm), ``base`` (the base rate known at training,
    with the same dose terms, so that knowing the arm is no advantage) and ``happened`` are ``[n]``;
    ``cluster`` are organisation codes.
    """

    outcome: str
    probability: Floats
    base: Floats
    happened: Bools
    cluster: Ints

    @property
    def events(self) -> int:
        """Number of test rows that ended with the outcome."""
        return int(self.happened.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Figures of one outcome on one set of rows; None where they cannot be computed.

    Losses are means per row (nats; squared probability). ``slope`` and ``intercept`` are those of a
    logistic regression on the predicted log-odds, with the slope's standard error; ``ece`` is the
    mean absolute gap over ten equal-sized bins, in probability; ``ece_noise`` what chance alone
    would give; ``top_decile`` the share of events among the tenth ranked highest.
    """

    rows: int
    events: int
    observed: float
    predicted: float
    log_loss: float
    log_loss_base: float
    brier: float
    brier_base: float
    auc: float | None = None
    slope: float | None = None
    slope_error: float | None = None
    intercept: float | None = None
    ece: float | None = None
    ece_noise: float | None = None
    top_decile: float | None = None

    def figures(self) -> dict[str, float]:
        """The figures that exist, by name."""
        return {name: float(v) for name, v in asdict(self).items() if v is not None}


@dataclass(frozen=True, slots=True)
class Report:
    """Quality per outcome: overall, and by ``segment`` and ``plan`` value."""

    overall: Mapping[str, Quality]
    groups: Mapping[str, Mapping[str, Mapping[str, Quality]]] = field(default_factory=dict)

    def plain(self) -> dict[str, object]:
        """JSON-ready: figures per outcome, and per group and outcome."""
        return {
            "overall": {name: quality.figures() for name, quality in self.overall.items()},
            "groups": {
                kind: {
                    value: {name: quality.figures() for name, quality in each.items()}
                    for value, each in values.items()
                }
                for kind, values in self.groups.items()
            },
        }


def judge(
    test: Dataset,
    hazards: Floats,
    bases: Sequence[float],
    dose_terms: Mapping[str, Mapping[str, float]],
) -> tuple[Judged, ...]:
    """Line up predictions with what happened on ``test``.

    ``hazards`` ``[n, 3]`` at m = 1; ``dose_terms`` maps an outcome to its ``friction`` and
    ``relief`` (log-odds per dose), absent ones are 0.
    """
    dose = test.assigned_dose()
    cluster, _ = test.groups("organisation")
    judged = []
    for index, outcome in enumerate(OUTCOMES):
        name = outcome.name.lower()
        terms = dose_terms.get(name, {})
        friction, relief = float(terms.get("friction", 0.0)), float(terms.get("relief", 0.0))
        flat = shifted(np.full(len(test), bases[index]), dose, friction, relief)
        # The base rate is that of the arms served, so the terms must leave its mean alone.
        scale = bases[index] / float(flat.mean()) if len(test) else 1.0
        judged.append(
            Judged(
                outcome=name,
                probability=shifted(hazards[:, index], dose, friction, relief),
                base=np.clip(flat * scale, 0.0, 1.0),
                happened=test.outcome(outcome),
                cluster=cluster,
            )
        )
    return tuple(judged)


def evaluate(test: Dataset, judged: Sequence[Judged]) -> Report:
    """Quality of every outcome on ``test``, overall and by segment and plan."""
    overall = {each.outcome: quality(each.probability, each.base, each.happened) for each in judged}
    groups: dict[str, dict[str, dict[str, Quality]]] = {}
    for kind in ("segment", "plan"):
        codes, names = test.groups(kind)
        groups[kind] = {}
        for code, name in enumerate(names):
            rows = codes == code
            groups[kind][name or "none"] = {
                each.outcome: quality(each.probability[rows], each.base[rows], each.happened[rows])
                for each in judged
                if int(each.happened[rows].sum()) >= MIN_GROUP_EVENTS
            }
    return Report(overall, groups)


def quality(probability: Floats, base: Floats, happened: Bools) -> Quality:
    """All figures of ``probability`` [n] and ``base`` [n] against ``happened`` [n] (n ≥ 0)."""
    rows, events = len(happened), int(happened.sum())
    if rows == 0:
        return Quality(rows=0, events=0, observed=0.0, predicted=0.0, log_loss=0.0,
                       log_loss_base=0.0, brier=0.0, brier_base=0.0)  # fmt: skip
    ranks = events > 0 and events < rows and float(np.ptp(probability)) > 0.0
    slope, intercept, error = _recalibration(probability, happened) if ranks else (None,) * 3
    ece, noise = _calibration_error(probability, happened)
    return Quality(
        rows=rows,
        events=events,
        observed=float(happened.mean()),
        predicted=float(probability.mean()),
        log_loss=float(row_log_loss(probability, happened).mean()),
        log_loss_base=float(row_log_loss(base, happened).mean()),
        brier=float(((probability - happened) ** 2).mean()),
        brier_base=float(((base - happened) ** 2).mean()),
        auc=_auc(probability, happened) if ranks else None,
        slope=slope,
        slope_error=error,
        intercept=intercept,
        ece=ece,
        ece_noise=noise,
        top_decile=_top_share(probability, happened, 0.1) if ranks else None,
    )


def _auc(probability: Floats, happened: Bools) -> float:
    """Chance that an event is ranked above a non-event (Mann and Whitney 1947), ties half."""
    _, inverse, count = np.unique(probability, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2.0)[inverse]
    positive = int(happened.sum())
    negative = len(happened) - positive
    return float(rank[happened].sum() - positive * (positive + 1) / 2.0) / (positive * negative)


def _recalibration(probability: Floats, happened: Bools) -> tuple[float, float, float]:
    inside = np.clip(probability, 1e-9, 1.0 - 1e-9)
    log_odds = np.log(inside) - np.log1p(-inside)
    design = np.column_stack([log_odds, np.ones_like(log_odds)])
    weight = np.full(2, 1e-9)
    theta, covariance = newton_logit(
        design, happened.astype(np.float64), np.asarray([1.0, 0.0]), weight
    )
    return float(theta[0]), float(theta[1]), float(np.sqrt(covariance[0, 0]))


def bins(probability: Floats, happened: Bools) -> tuple[Floats, Floats, Floats]:
    """Mean prediction, observed share and row count of up to ten equal-sized bins by prediction."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    predicted = np.asarray([probability[part].mean() for part in parts])
    observed = np.asarray([happened[part].mean() for part in parts])
    return predicted, observed, np.asarray([float(len(part)) for part in parts])


def _calibration_error(probability: Floats, happened: Bools) -> tuple[float, float]:
    """Expected calibration error, and its expectation if predictions were true."""
    predicted, observed, count = bins(probability, happened)
    share = count / count.sum()
    spread = np.sqrt(2.0 / np.pi * predicted * (1.0 - predicted) / count)
    return float((share * np.abs(predicted - observed)).sum()), float((share * spread).sum())


def gain(probability: Floats, happened: Bools) -> tuple[Floats, Floats]:
    """Cumulative gain: share of rows taken from the top, and share of events among them."""
    order = np.argsort(-probability, kind="stable")
    caught = np.cumsum(happened[order]) / max(1, int(happened.sum()))
    taken = np.arange(1, len(order) + 1) / max(1, len(order))
    return taken, np.asarray(caught, dtype=np.float64)


def _top_share(probability: Floats, happened: Bools, share: float) -> float:
    taken, caught = gain(probability, happened)
    return float(caught[max(0, int(np.searchsorted(taken, share)) - 1)])
