"""Platt calibration on held-out log-odds, at m = 1 although other arms were also served.

Rows under other arms cannot be dropped (four fifths of the events would go) nor pooled as they are
(their outcomes carry the arms' effects). So the calibration estimates, beside slope and intercept,
one term for friction dose and one for relief dose; at m = 1 both are 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.dataset import Bools, Floats
from training.outcome_model import Platt, sigmoid

#: Prior standard deviation of the slope around 1: fewer events, closer to no correction.
SLOPE_SD = 0.5
#: Prior standard deviation of a dose term, log-odds per unit of blocked share.
DOSE_SD = 3.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Slope and intercept on the log-odds, and what served dose adds to them.

    ``friction`` and ``relief`` are log-odds per unit of dose above and below 0.
    """

    platt: Platt = field(default_factory=Platt)
    friction: float = 0.0
    relief: float = 0.0

    def under_arm(self, probability: Floats, dose: Floats) -> Floats:
        """Calibrated probability at m = 1 [n] moved to the dose [n] that was assigned."""
        return shifted(probability, dose, self.friction, self.relief)


def shifted(probability: Floats, dose: Floats, friction: float, relief: float) -> Floats:
    """``probability`` [n] at m = 1 under ``dose`` [n]; unchanged where dose is 0."""
    inside = np.clip(probability, 1e-9, 1.0 - 1e-9)
    log_odds = np.log(inside) - np.log1p(-inside)
    moved = log_odds + friction * np.maximum(dose, 0.0) + relief * np.minimum(dose, 0.0)
    return sigmoid(moved)


def fit_calibration(log_odds: Floats, happened: Bools, dose: Floats) -> Calibration:
    """Fit slope, intercept and dose terms on held-out rows, all of length ``[n]``.

    Newton's method on the penalised likelihood; needs at least one event and one non-event, and
    returns the identity otherwise.
    """
    if not len(log_odds) or not happened.any() or happened.all():
        return Calibration()
    columns = [log_odds, np.ones_like(log_odds), np.maximum(dose, 0.0), np.minimum(dose, 0.0)]
    design = np.column_stack(columns)
    prior = np.asarray([1.0, 0.0, 0.0, 0.0])
    weight = np.asarray([SLOPE_SD**-2, 1e-6, DOSE_SD**-2, DOSE_SD**-2])
    theta, _ = newton_logit(design, happened.astype(np.float64), prior, weight)
    return Calibration(
        Platt(slope=float(max(theta[0], 0.05)), intercept=float(theta[1])),
        friction=float(theta[2]),
        relief=float(theta[3]),
    )


def newton_logit(
    design: Floats, target: Floats, prior: Floats, weight: Floats
) -> tuple[Floats, Floats]:
    """Logistic regression of ``target`` [n] on ``design`` [n, k] by Newton's method.

    Coefficients are drawn to ``prior`` [k] with precision ``weight`` [k] (> 0). Returns the
    coefficients and their covariance ``[k, k]``.
    """
    theta = prior.copy()
    curvature = np.diag(weight)
    for _ in range(50):
        fitted = sigmoid(design @ theta)
        gradient = design.T @ (target - fitted) - weight * (theta - prior)
        curvature = (design * (fitted * (1.0 - fitted))[:, None]).T @ design + np.diag(weight)
        step = np.linalg.solve(curvature, gradient)
        # A bounded step keeps far starting points from overshooting.
        theta = theta + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-9:
            break
    return theta, np.asarray(np.linalg.inv(curvature), dtype=np.float64)
