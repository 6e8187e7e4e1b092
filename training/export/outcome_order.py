"""The three outcomes in the order of every graph."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.errors import InvalidInput
from training.outcome_model import OUTCOMES, FittedOutcome


def ordered(outcomes: Sequence[FittedOutcome], feature_count: int) -> tuple[FittedOutcome, ...]:
    """One model of each outcome: upgrade, downgrade, churn; raises InvalidInput otherwise."""
    by_name = {model.outcome: model for model in outcomes}
    if len(outcomes) != len(OUTCOMES) or set(by_name) != set(OUTCOMES):
        raise InvalidInput(
            f"Models are needed for {', '.join(OUTCOMES)}, one each.", field="outcomes"
        )
    for model in outcomes:
        if model.linear is not None and len(model.linear.coef) != feature_count:
            raise InvalidInput(
                f"{model.outcome}: {len(model.linear.coef)} coefficients for {feature_count} "
                "features.",
                field=model.outcome,
            )
    return tuple(by_name[name] for name in OUTCOMES)
