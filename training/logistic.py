"""Logistic regression on imputed, standardised features: the simplest model worth serving."""

from __future__ import annotations

import numpy as np

from training.dataset import Bools, Floats, Single
from training.outcome_model import Linear, standardise

#: Inverse strength of the ridge penalty on standardised features.
RIDGE_C = 0.05


def fit_logistic(matrix: Single, happened: Bools) -> Linear:
    """Fit ``P(happened)`` on ``matrix`` [n, F]; no class weights: prices need probabilities.

    Missing values become the column's median. A column without spread gets a coefficient of 0.
    """
    from sklearn.linear_model import LogisticRegression

    impute, mean, scale = column_moments(matrix)
    standard = standardise(matrix, impute, mean, scale)
    model = LogisticRegression(C=RIDGE_C, max_iter=500, tol=1e-5)
    model.fit(standard, happened)
    coef = np.where(scale > 0, model.coef_[0], 0.0)
    return Linear(
        coef=coef, intercept=float(model.intercept_[0]), impute=impute, mean=mean, scale=scale
    )


def column_moments(matrix: Single) -> tuple[Floats, Floats, Floats]:
    """Median, and mean and standard deviation between the 0.5 % and 99.5 % points, per column."""
    columns = matrix.shape[1]
    impute, mean, scale = np.zeros(columns), np.zeros(columns), np.ones(columns)
    for index in range(columns):
        column = matrix[:, index].astype(np.float64)
        seen = column[np.isfinite(column)]
        if not len(seen):
            continue
        low, middle, high = np.quantile(seen, (0.005, 0.5, 0.995))
        inner = np.clip(seen, low, high)
        impute[index], mean[index] = middle, inner.mean()
        spread = inner.std()
        scale[index] = spread if spread > 1e-9 * max(1.0, abs(mean[index])) else 1.0
    return impute, mean, scale
