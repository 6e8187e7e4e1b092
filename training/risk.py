"""Risk models: per outcome the better of logistic and trees, calibrated, or "no model"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from training.boosting import fit_trees
from training.calibration import Calibration, fit_calibration
from training.clustered import clustered_mean
from training.dataset import Bools, Dataset, Floats, Ints, Single
from training.logistic import fit_logistic
from training.outcome import OUTCOMES, Outcome
from training.outcome_model import FittedOutcome, Kind, Platt, bounded_hazards
from training.split import Split, organisation_position

#: Fewer events than these in a part: no model for that outcome. Models of 30 to 50 events beat the
#: base rate clearly on one part and not at all on the next, and a refused one refuses the others.
MIN_TRAIN_EVENTS = 50
MIN_CALIBRATION_EVENTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskModel:
    """One outcome's fitted model, how its calibration was found, and what it was chosen over.

    ``losses`` maps each candidate kind (and ``base_rate``) to its log-loss on the calibration rows.
    """

    fitted: FittedOutcome
    calibration: Calibration = field(default_factory=Calibration)
    losses: dict[str, float] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    trees: int = 0


def hazards(models: Sequence[RiskModel], matrix: Single) -> Floats:
    """Hazards at m = 1 for ``matrix`` [n, F]: ``[n, 3]``, rows summing to at most 1."""
    return bounded_hazards(np.column_stack([model.fitted.predict(matrix) for model in models]))


def fit_risks(dataset: Dataset, split: Split, *, seed: int = 7) -> tuple[RiskModel, ...]:
    """Fit one model per outcome, in the order of :data:`training.outcome.OUTCOMES`."""
    matrix, dose = dataset.matrix(), dataset.assigned_dose()
    place = organisation_position(dataset.text("organisation"))
    parts = _Parts(
        train=matrix[split.train],
        late=matrix[split.calibration],
        dose=dose[split.calibration],
        # Organisations that decide when trees stop; another slice of the same hash.
        aside=(place[split.train] * 7.0) % 1.0 < 0.2,
        half=(place[split.calibration] * 101.0) % 1.0 < 0.5,
        cluster=dataset.groups("organisation")[0][split.calibration],
    )
    return tuple(
        _fit_one(
            outcome,
            parts,
            dataset.outcome(outcome)[split.train],
            dataset.outcome(outcome)[split.calibration],
            seed,
        )
        for outcome in OUTCOMES
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """Rows to fit on (``aside`` of them stop the trees), and held-out rows in two halves.

    ``cluster`` are the organisation codes of the held-out rows.
    """

    train: Single
    aside: Bools
    late: Single
    dose: Floats
    half: Bools
    cluster: Ints


def _fit_one(outcome: Outcome, parts: _Parts, early: Bools, late: Bools, seed: int) -> RiskModel:
    events = {"train": int(early.sum()), "calibration": int(late.sum())}
    rate = _rate(np.concatenate([early, late]))
    if events["train"] < MIN_TRAIN_EVENTS or events["calibration"] < MIN_CALIBRATION_EVENTS:
        reason = (
            f"too few events: {events['train']} to fit (needs {MIN_TRAIN_EVENTS}), "
            f"{events['calibration']} to calibrate (needs {MIN_CALIBRATION_EVENTS})"
        )
        return _no_model(outcome, rate, reason, events)
    text, trees = fit_trees(parts.train, early, parts.aside, seed)
    name = outcome.name.lower()
    candidates = [
        FittedOutcome(
            outcome=name, kind="logistic", base_rate=rate, linear=fit_logistic(parts.train, early)
        ),
        FittedOutcome(outcome=name, kind="lightgbm", base_rate=rate, booster_text=text),
    ]
    return _choose(candidates, parts, late, events, trees)


def _choose(
    candidates: Sequence[FittedOutcome],
    parts: _Parts,
    late: Bools,
    events: dict[str, int],
    trees: int,
) -> RiskModel:
    """The candidate with the lower log-loss on held-out rows, if it clearly beats their base rate.

    Clearly: by more than one clustered standard error. A weaker one would be a coin toss in front
    of the gates, and could take the other outcomes' good models down with it.
    """
    log_odds = {model.kind: model.log_odds(parts.late) for model in candidates}
    rows = {str(kind): _crossed_loss(odds, parts, late) for kind, odds in log_odds.items()}
    rows["base_rate"] = _crossed_loss(np.full(len(late), _odds(_rate(late))), parts, late)
    losses = {kind: float(loss.mean()) for kind, loss in rows.items()}
    chosen = min(candidates, key=lambda model: losses[model.kind])
    gain = clustered_mean(rows["base_rate"] - rows[chosen.kind], parts.cluster)
    fit = fit_calibration(log_odds[chosen.kind], late, parts.dose)
    if gain.mean <= gain.error:
        reason = "neither model clearly beats the base rate on held-out weeks"
        return _no_model(Outcome[chosen.outcome.upper()], chosen.base_rate, reason, events, losses)
    return RiskModel(
        fitted=_calibrated(chosen, fit.platt, chosen.kind),
        calibration=fit,
        losses=losses,
        events=events,
        trees=trees if chosen.kind == "lightgbm" else 0,
    )


def _crossed_loss(log_odds: Floats, parts: _Parts, late: Bools) -> Floats:
    """Log-loss by row of calibrated ``log_odds``, each half calibrated on the other half.

    Calibrating and comparing on the same rows would make noise look better than the base rate,
    which is given the same treatment here.
    """
    loss = np.empty(len(late))
    for half in (parts.half, ~parts.half):
        fit = fit_calibration(log_odds[~half], late[~half], parts.dose[~half])
        dose = parts.dose[half]
        loss[half] = row_log_loss(fit.under_arm(fit.platt.apply(log_odds[half]), dose), late[half])
    return loss


def _odds(rate: float) -> float:
    return float(np.log(rate) - np.log1p(-rate))


def _calibrated(model: FittedOutcome, platt: Platt, kind: Kind) -> FittedOutcome:
    return FittedOutcome(
        outcome=model.outcome,
        kind=kind,
        base_rate=model.base_rate,
        booster_text=model.booster_text,
        linear=model.linear,
        calibration=platt,
    )


def _no_model(
    outcome: Outcome,
    rate: float,
    reason: str,
    events: dict[str, int],
    losses: dict[str, float] | None = None,
) -> RiskModel:
    fitted = FittedOutcome(outcome=outcome.name.lower(), kind="none", base_rate=rate, reason=reason)
    return RiskModel(fitted=fitted, losses=losses or {}, events=events)


def _rate(happened: Bools) -> float:
    """Share of events, with half an event added so that it is never exactly 0."""
    return (float(happened.sum()) + 0.5) / (len(happened) + 1.0)


def row_log_loss(probability: Floats, happened: Bools) -> Floats:
    """Negative log-likelihood of each row in nats, ``[n]``; probabilities held off 0 and 1."""
    inside = np.clip(probability, 1e-12, 1.0 - 1e-12)
    loss: Floats = -np.where(happened, np.log(inside), np.log1p(-inside))
    return loss
