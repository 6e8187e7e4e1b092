"""A fitted risk model of one outcome, and the numbers that it stands for.

These are plain values: fitting fills them in, export turns them into an ONNX graph, and
:meth:`FittedOutcome.predict` is the reference that the graph is compared with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidInput

if TYPE_CHECKING:
    import lightgbm

#: The outcomes of a decision, in the order of every table and graph.
OUTCOMES = ("upgrade", "downgrade", "churn")

#: Standardised values are held within this many standard deviations, so that an absurd or
#: infinite input moves a linear model no further than a very unusual one.
MAX_STANDARD_DEVIATIONS = 8.0

Kind = Literal["lightgbm", "logistic", "none"]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Platt:
    """Calibration on the log-odds scale: ``p = sigmoid(intercept + slope * log_odds)``."""

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.slope) and np.isfinite(self.intercept)):
            raise InvalidInput("A calibration must be finite.", field="calibration")

    def apply(self, log_odds: Floats) -> Floats:
        """Calibrated probabilities (0..1) of ``log_odds`` [n]."""
        return sigmoid(self.intercept + self.slope * log_odds)


@dataclass(frozen=True, eq=False)
class Linear:
    """A logistic regression on imputed, standardised and bounded features.

    ``coef``, ``impute``, ``mean`` and ``scale`` are float64 [F]; ``impute`` is in the feature's own
    unit, ``scale`` > 0. Fit on :meth:`standardise` and the graph computes the same numbers.
    """

    coef: Floats
    intercept: float
    impute: Floats
    mean: Floats
    scale: Floats

    def __post_init__(self) -> None:
        for name in ("coef", "impute", "mean", "scale"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, values)
            if values.shape != np.shape(self.coef) or not np.isfinite(values).all():
                raise InvalidInput(f"Linear model: {name} must be finite, one a feature.")
        if not np.isfinite(self.intercept) or (self.scale <= 0.0).any():
            raise InvalidInput("Linear model: intercept must be finite and every scale positive.")

    def standardise(self, matrix: NDArray[Any]) -> Floats:
        """Features ready for the dot product: imputed, standardised, within ±8 (float64)."""
        return standardise(matrix, self.impute, self.mean, self.scale)

    def log_odds(self, matrix: NDArray[Any]) -> Floats:
        """Uncalibrated log-odds [n] of ``matrix`` [n, F]."""
        product: Floats = self.standardise(matrix) @ self.coef
        return product + self.intercept


@dataclass(frozen=True)
class FittedOutcome:
    """The fitted per-period hazard of one outcome at m = 1.

    Parameters
    ----------
    outcome:
        One of :data:`OUTCOMES`.
    kind:
        ``lightgbm``, ``logistic``, or ``none`` (too few events): the base rate for everyone.
    base_rate:
        Share of training rows with the outcome (0..1).
    booster_text:
        LightGBM's model text (binary objective, no categorical or linear trees); held in memory
        only, never part of a bundle.
    linear:
        The logistic model.
    calibration:
        Applied to the log-odds of either model.
    reason:
        Why there is no model, for people.
    """

    outcome: str
    kind: Kind
    base_rate: float
    booster_text: str = field(default="", repr=False)
    linear: Linear | None = None
    calibration: Platt = Platt()
    reason: str = ""

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise InvalidInput(f"{self.outcome!r} is not one of {', '.join(OUTCOMES)}.")
        if not 0.0 <= self.base_rate <= 1.0:
            raise InvalidInput(f"{self.outcome}: base rate {self.base_rate} must lie in 0..1.")
        if (self.kind == "lightgbm") != bool(self.booster_text):
            raise InvalidInput(
                f"{self.outcome}: a lightgbm model needs its text, others have none."
            )
        if (self.kind == "logistic") != (self.linear is not None):
            raise InvalidInput(f"{self.outcome}: a logistic model needs its coefficients.")

    @cached_property
    def booster(self) -> lightgbm.Booster:
        """The LightGBM model, read from its text once."""
        import lightgbm

        return lightgbm.Booster(model_str=self.booster_text)

    def log_odds(self, matrix: NDArray[Any]) -> Floats:
        """Uncalibrated log-odds [n] of ``matrix`` [n, F]; of the base rate without a model.

        The matrix is read as float32, which is what serving has; NaN is missing.
        """
        served = np.ascontiguousarray(matrix, dtype=np.float32)
        if self.kind == "lightgbm":
            raw = self.booster.predict(served, raw_score=True)
            return np.asarray(raw, dtype=np.float64)
        if self.linear is not None:
            return self.linear.log_odds(served)
        with np.errstate(divide="ignore"):
            constant = np.log(self.base_rate) - np.log1p(-self.base_rate)
        return np.full(len(served), constant, dtype=np.float64)

    def predict(self, matrix: NDArray[Any]) -> Floats:
        """Calibrated probability [n] of the outcome within one period, float64 in 0..1.

        Without a model this is the base rate, whatever the calibration says.
        """
        if self.kind == "none":
            return np.full(len(matrix), self.base_rate, dtype=np.float64)
        return self.calibration.apply(self.log_odds(matrix))


def standardise(matrix: NDArray[Any], impute: Floats, mean: Floats, scale: Floats) -> Floats:
    """Impute NaN, subtract ``mean``, divide by ``scale``, hold within ±8; float64 [n, F].

    Use it to fit a :class:`Linear`, so that training sees exactly what serving computes.
    """
    values = np.asarray(matrix, dtype=np.float32).astype(np.float64)
    filled = np.where(np.isnan(values), impute, values)
    bound = MAX_STANDARD_DEVIATIONS
    standard: Floats = np.clip((filled - mean) / scale, -bound, bound)
    return standard


def sigmoid(log_odds: Floats) -> Floats:
    """Probability of ``log_odds``; no overflow at any size.

    Examples
    --------
    >>> sigmoid(np.array([-1e9, 0.0, 1e9])).tolist()
    [0.0, 0.5, 1.0]
    """
    small = np.exp(-np.abs(log_odds))
    return np.where(log_odds >= 0.0, 1.0 / (1.0 + small), small / (1.0 + small))


def bounded_hazards(hazards: Floats) -> Floats:
    """Scale rows of ``hazards`` [n, 3] whose sum exceeds 1 down to sum 1 (competing outcomes)."""
    total = hazards.sum(axis=1, keepdims=True)
    bounded: Floats = hazards / np.maximum(total, 1.0)
    return bounded
