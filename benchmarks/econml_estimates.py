"""econml's estimates of the table in FILE (.npz), as JSON on standard output.

Started by ``benchmarks.econml_crosscheck`` with the interpreter that has econml; it imports nothing
of Flyball, because that interpreter has none of it.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any


def main(path: str) -> None:
    """Print {outcome: {estimator: {arm: [mean, low, high]}}}."""
    import numpy as np

    warnings.simplefilter("ignore")
    with np.load(path, allow_pickle=False) as file:
        table = {name: file[name] for name in file.files}
    found = {
        str(name): {
            "econml LinearDML on dose": _on_dose(table, table["outcomes"][:, k]),
            "econml LinearDRLearner by arm": _by_arm(table, table["outcomes"][:, k]),
        }
        for k, name in enumerate(table["names"])
    }
    json.dump(found, sys.stdout)


def _on_dose(table: dict[str, Any], outcome: Any) -> dict[str, list[float]]:
    from econml.dml import LinearDML  # type: ignore[import-not-found]
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import RidgeCV

    # The expectation of dose is known from the draw, so nothing is left for a treatment model.
    learner = LinearDML(model_y=RidgeCV(), model_t=DummyRegressor(), cv=3, random_state=7)
    learner.fit(outcome, table["residual"], X=None, W=table["x"])
    mean = float(learner.const_marginal_ate())
    low, high = (float(end) for end in learner.const_marginal_ate_interval(alpha=0.05))
    told = {}
    for arm, dose in zip(table["arms"], table["mean_dose"], strict=True):
        ends = sorted((low * float(dose), high * float(dose)))
        told[str(arm)] = [mean * float(dose), *ends]
    return told


def _by_arm(table: dict[str, Any], outcome: Any) -> dict[str, list[float]]:
    import numpy as np
    from econml.dr import LinearDRLearner  # type: ignore[import-not-found]
    from sklearn.linear_model import LogisticRegression, RidgeCV

    neutral = int(table["neutral"])
    order = [neutral, *(at for at in range(len(table["arms"])) if at != neutral)]
    # econml measures against the first treatment.
    treatment = np.argsort(order)[table["arm"]]
    learner = LinearDRLearner(
        model_propensity=LogisticRegression(max_iter=1000),
        model_regression=RidgeCV(),
        categories=list(range(len(order))),
        cv=3,
        random_state=7,
    )
    learner.fit(outcome, treatment, X=None, W=table["x"])
    told = {}
    for code, at in enumerate(order[1:], start=1):
        low, high = learner.ate_interval(T0=0, T1=code, alpha=0.05)
        mean = learner.ate(T0=0, T1=code)
        told[str(table["arms"][at])] = [float(mean), float(low), float(high)]
    return told


if __name__ == "__main__":
    main(sys.argv[1])
