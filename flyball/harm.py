"""The harm budget: how much churn friction may be predicted to cause.

Harm is measured as people would complain about it: tenants that left because they were tightened,
as a share of all tenants that were tightened, over half a year. So every tenant that has come under
friction within the window brings an equal part of the budget to each of the window's periods, and
what friction is predicted to cause in a period must fit into the sum of those parts:

    Σ p(arm) · h(arm)  ≤  budget · period / window · tenants tightened in the window

Only who was tightened while models predicted what it does brings a part: what a vendor did before
is in no prediction, so it pays for none. From the first models on, predicted harm over a window's
periods is then at most ``budget`` per tenant tightened in them; later per tenant tightened in them
or in the window before, whose parts still last. Expectation is over the draw, exploration included.
For an arm that is explored, h is max(0, Δp_churn); for the arm that the policy chose it is max(0,
Δp_churn + caution · its standard deviation): an effect on churn that has not been found is not
known to be absent, so what is chosen pays for the doubt. What is explored does not, because
exploring is what ends it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from flyball.arm import NEUTRAL
from flyball.guardrail_settings import GuardrailSettings
from flyball.outlook import Outlook, is_felt

_DAYS_PER_WEEK = 7
#: Slack for sums of many small probabilities, relative.
_SLACK = 1e-9


def harm_of(outlook: Outlook, arm: int, *, caution: float = 0.0) -> float:
    """Churn that ``arm`` is predicted to add in one period (0..1); 0 at 100 and above.

    ``caution`` standard deviations of the prediction are added to it. 0 also where nothing is known
    of the arm's effect: what is not predicted cannot be budgeted, and is bounded by friction shares
    and by the watch over live harm.
    """
    effect = outlook.effects.get(arm)
    if arm >= NEUTRAL or effect is None or effect.churn is None or not is_felt(effect):
        return 0.0
    feared = effect.churn.mean
    if caution > 0.0:
        feared += caution * effect.churn.sd
    # What cannot be predicted takes all there is.
    return 1.0 if math.isnan(feared) else min(max(0.0, feared), 1.0)


def expected_harm(
    outlook: Outlook, chances: Mapping[int, float], *, choice: int = NEUTRAL, caution: float = 0.0
) -> float:
    """Churn that a draw with ``chances`` (arm to probability) is predicted to add, 0..1.

    ``caution`` standard deviations are added for the arm that was chosen, none for the others.
    """
    harm = 0.0
    for arm, chance in chances.items():
        if chance > 0.0:
            harm += chance * harm_of(outlook, arm, caution=caution if arm == choice else 0.0)
    return harm


class HarmBudget:
    """One period's part of the budget; what fits is taken, tenant by tenant.

    Parameters
    ----------
    settings:
        The bound and its window.
    tightened:
        Tenants that came under friction, with models that predicted its effect, in the window that
        ends with this period; not in this period itself.
    period_days:
        Length of the period.
    """

    __slots__ = ("_caution", "_left", "_part", "_tightened")

    def __init__(
        self,
        settings: GuardrailSettings,
        *,
        tightened: Collection[str] = (),
        period_days: int = 7,
    ) -> None:
        budget = settings.harm_budget
        window = settings.harm_window_weeks * _DAYS_PER_WEEK
        self._part = None if budget is None else budget * min(1.0, period_days / window)
        self._caution = settings.harm_caution
        self._tightened = frozenset(tightened)
        self._left = (self._part or 0.0) * len(self._tightened)

    @property
    def left(self) -> float | None:
        """Predicted churn, in tenants, that is not taken yet; None without a bound."""
        return None if self._part is None else self._left

    def fits(
        self, tenant_id: str, outlook: Outlook, chances: Mapping[int, float], *, choice: int
    ) -> bool:
        """Whether a draw with ``chances``, of which the policy chose one, is within the budget."""
        if self._part is None:
            return True
        harm = expected_harm(outlook, chances, choice=choice, caution=self._caution)
        return harm <= (self._left + self._brought(tenant_id, chances)) * (1.0 + _SLACK)

    def take(
        self, tenant_id: str, outlook: Outlook, chances: Mapping[int, float], *, choice: int
    ) -> None:
        """Count a draw with ``chances``, even beyond the bound."""
        if self._part is not None:
            harm = expected_harm(outlook, chances, choice=choice, caution=self._caution)
            self._left += self._brought(tenant_id, chances) - harm

    def _brought(self, tenant_id: str, chances: Mapping[int, float]) -> float:
        """What the tenant adds to the budget by coming under friction for the first time."""
        if self._part is None or tenant_id in self._tightened:
            return 0.0
        return self._part * sum(chance for arm, chance in chances.items() if arm < NEUTRAL)
