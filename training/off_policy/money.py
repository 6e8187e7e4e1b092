"""Money, as it is and winsorised: a few large accounts must not decide a policy unseen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flyball.errors import InvalidInput
from training.dataset import Floats
from training.off_policy.comparison import Comparison, compare
from training.off_policy.logged import LoggedBandit
from training.off_policy.value import ValueSettings

QUANTILE = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyComparison:
    """The same comparison of money twice.

    ``winsorised`` has every reward (and prediction) pulled into ±``cap``, which touched ``touched``
    of all rows. It answers a slightly other question more surely; where the two disagree, a few
    accounts decide, and the reader must know.
    """

    raw: Comparison
    winsorised: Comparison
    cap: float
    touched: float


def compare_money(
    logged: LoggedBandit,
    policy: Floats,
    baseline: Floats,
    settings: ValueSettings | None = None,
    *,
    quantile: float = QUANTILE,
) -> MoneyComparison:
    """Compare rewards in money both ways.

    ``quantile`` (0.5 … 1) is taken over the sizes of rewards that are not 0, so that rare payments
    are not all cut away; both policies get the same cap.
    """
    cap = winsor_cap(logged.reward, quantile)
    return MoneyComparison(
        raw=compare(logged, policy, baseline, settings),
        winsorised=compare(winsorised(logged, cap), policy, baseline, settings),
        cap=cap,
        touched=float((np.abs(logged.reward) > cap).mean()),
    )


def winsor_cap(reward: Floats, quantile: float) -> float:
    """The ``quantile`` of |reward| over rewards that are not 0; infinite if all are 0."""
    if not 0.5 <= quantile <= 1.0:
        raise InvalidInput(
            f"A winsor quantile lies in 0.5 … 1, not {quantile:g}.", field="quantile"
        )
    sizes = np.abs(reward[reward != 0.0])
    return float(np.quantile(sizes, quantile)) if sizes.size else np.inf


def winsorised(logged: LoggedBandit, cap: float) -> LoggedBandit:
    """The same rows with rewards and predictions pulled into ±``cap``."""
    predicted = None if logged.predicted is None else np.clip(logged.predicted, -cap, cap)
    return logged.rewarded(np.clip(logged.reward, -cap, cap), predicted)
