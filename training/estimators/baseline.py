"""What would be expected of each row without knowing its arm: m(x), cross-fitted by cluster.

The R-learner subtracts m(x) from the outcome, which takes noise away and nothing else: propensities
are known, so a bad m(x) costs power but does not bias.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.boosting import fit_trees
from training.dataset import Bools, Floats, Ints, Single
from training.estimators.table import EffectTable
from training.logistic import column_moments, fit_logistic
from training.outcome_model import FittedOutcome, standardise

FOLDS = 2
#: Fewer events than this in a fold's fit: the mean is expected of everybody.
MIN_FOLD_EVENTS = 30
RIDGE = 10.0

Fit = Callable[[Single, Floats, Ints], Callable[[Single], Floats]]


def cross_fitted(table: EffectTable, *, seed: int = 7, folds: int = FOLDS) -> Floats:
    """Expected outcomes ``[n, K]``, each row's from models that never saw its cluster.

    0/1 outcomes: the better of logistic regression and trees by held-out squared error, and the
    mean where neither is better. Other outcomes: ridge regression or the mean.
    """
    fold = cluster_folds(table.cluster, folds, seed)
    columns = [
        _best(table.subjects.x, table.outcomes[:, k], bool(table.binary[k]), fold, table.cluster)
        for k in range(len(table.names))
    ]
    return np.column_stack(columns) if columns else np.zeros((len(table), 0))


def cluster_folds(cluster: Ints, folds: int, seed: int) -> Ints:
    """A fold of each row [n] in 0..folds-1; rows of one cluster share it."""
    names, code = np.unique(cluster, return_inverse=True)
    rng = np.random.Generator(np.random.Philox(seed))
    return np.asarray((rng.permutation(len(names)) % folds)[code.reshape(-1)], dtype=np.int64)


def _best(x: Single, y: Floats, binary: bool, fold: Ints, cluster: Ints) -> Floats:
    kinds: list[Fit] = [_mean]
    enough = min(y.sum(), (1.0 - y).sum()) >= 2 * MIN_FOLD_EVENTS if binary else len(y) >= 200
    if enough and x.shape[1]:
        kinds += [_logistic, _trees] if binary else [_ridge]
    predictions = [_crossed(kind, x, y, fold, cluster) for kind in kinds]
    losses = [float(((y - each) ** 2).mean()) for each in predictions]
    return predictions[int(np.argmin(losses))]


def _crossed(kind: Fit, x: Single, y: Floats, fold: Ints, cluster: Ints) -> Floats:
    out = np.zeros(len(y))
    for part in np.unique(fold):
        rest = fold != part
        if not rest.any():
            rest = np.ones(len(fold), dtype=np.bool_)
        out[fold == part] = kind(x[rest], y[rest], cluster[rest])(x[fold == part])
    return out


def _mean(_: Single, y: Floats, __: Ints) -> Callable[[Single], Floats]:
    level = float(y.mean())
    return lambda rows: np.full(len(rows), level)


def _logistic(x: Single, y: Floats, _: Ints) -> Callable[[Single], Floats]:
    happened = y > 0.5
    if happened.all() or not happened.any():
        return _mean(x, y, _)
    model = FittedOutcome("churn", "logistic", float(y.mean()), linear=fit_logistic(x, happened))
    return model.predict


def _trees(x: Single, y: Floats, cluster: Ints) -> Callable[[Single], Floats]:
    aside: Bools = cluster_folds(cluster, 5, 11) == 0
    text, _ = fit_trees(x, y > 0.5, aside, 7)
    return FittedOutcome("churn", "lightgbm", float(y.mean()), booster_text=text).predict


def _ridge(x: Single, y: Floats, _: Ints) -> Callable[[Single], Floats]:
    impute, mean, scale = column_moments(x)
    z = standardise(x, impute, mean, scale)
    level = float(y.mean())
    gram = z.T @ z + RIDGE * np.eye(z.shape[1])
    beta = np.linalg.solve(gram, z.T @ (y - level))
    return lambda rows: np.asarray(level + standardise(rows, impute, mean, scale) @ beta)
