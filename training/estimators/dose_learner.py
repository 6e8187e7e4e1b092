"""The default: an R-learner on dose (Nie and Wager 2021), in blocks that a test has to open.

For each outcome, (outcome - m(x)) is explained by (dose - its logged expectation) times
``rho(x) · (b0 + b_segment + b_plan + risk(x)·b_risk + x_std·w)``, plus carry-over of past doses.
Propensities are known, hence so is the information matrix of every block; only outcomes are random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from training.dataset import Floats
from training.estimators.baseline import cross_fitted
from training.estimators.carry import Past
from training.estimators.design import Design, design_of
from training.estimators.dose_effects import DoseEffects, OutcomeEffect
from training.estimators.estimator import (
    MIN_EVENTS,
    MIN_OUTCOME_EVENTS,
    FittedEffects,
    absent,
    effective_events,
    lacking,
    usable_arms,
)
from training.estimators.outcome_fit import OutcomeFit
from training.estimators.redraw import REDRAWS
from training.estimators.search import SIGNIFICANCE, Candidate, adjusted, null_statistics
from training.estimators.table import EffectTable


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseLearner:
    """R-learner on dose with pooled, carry-over, segment, plan, risk and personal blocks.

    ``seed`` and ``redraws`` belong to the randomisation test and the folds. With fewer than
    ``min_events`` effective events of every outcome there is no effect, and an outcome with fewer
    than ``min_outcome_events`` opens nothing of its own.
    """

    seed: int = 7
    redraws: int = REDRAWS
    significance: float = SIGNIFICANCE
    min_events: float = MIN_EVENTS
    min_outcome_events: float = MIN_OUTCOME_EVENTS
    name: str = field(default="R-learner on dose", init=False)

    def fit(self, table: EffectTable) -> FittedEffects:
        """Learn from ``table``; without enough evidence the result has no effects and says so."""
        why = lacking(table, min_events=self.min_events)
        if why:
            return absent(table, why)
        expected = cross_fitted(table, seed=self.seed)
        return self.fit_residuals(table, expected)

    def fit_residuals(self, table: EffectTable, expected: Floats) -> DoseEffects:
        """Learn from ``table`` with given cross-fitted expectations ``expected`` [n, K]."""
        design = design_of(table, expected, seed=self.seed)
        past = None if table.tenant is None or table.period is None else Past(table)
        enough = effective_events(table) >= self.min_outcome_events
        fits = [
            OutcomeFit(
                table=table,
                design=design,
                past=past,
                outcome=k,
                unexplained=table.outcomes[:, k] - expected[:, k],
                seed=self.seed,
                significance=self.significance,
                enough=bool(enough[k]),
            )
            for k in range(len(table.names))
        ]
        # Two passes over the same redraws: pooled blocks, then all that is judged after them.
        first = [fit.pooled_candidate() for fit in fits]
        pooled = self._null(table, first)
        later = [fit.deviation_candidates(null) for fit, null in zip(fits, pooled, strict=True)]
        null = iter(self._null(table, [c for each in later for c in each]))
        nulls = [[next(null) for _ in candidates] for candidates in later]
        p_any = _p_any(fits, first, pooled, later, nulls)
        outcomes = tuple(
            fit.result(candidates, each, any_at_all=p_any <= self.significance)
            for fit, candidates, each in zip(fits, later, nulls, strict=True)
        )
        return DoseEffects(
            table=_frame(table),
            design=design,
            outcomes=outcomes,
            usable=usable_arms(table),
            binary=table.binary,
            evidence=_evidence(table, outcomes) | _powers(table, design) | {"p_any": p_any},
            summary=_sentence(table, outcomes),
        )

    def _null(self, table: EffectTable, candidates: Sequence[Candidate]) -> list[Floats]:
        return null_statistics(table, candidates, seed=self.seed, redraws=self.redraws)


def _p_any(
    fits: Sequence[OutcomeFit],
    pooled: Sequence[Candidate],
    pooled_null: Sequence[Floats],
    later: Sequence[Sequence[Candidate]],
    later_null: Sequence[Sequence[Floats]],
) -> float:
    """p-value of "arms do nothing to anything", from all blocks of all outcomes.

    It comes first, so that at most one null experiment in twenty opens anything anywhere. One
    effect for all is what an experiment of ordinary size can find, and there are many more ways to
    deviate from it: so half of the error is for the pooled blocks and half for all the others
    (Bonferroni between the two, the least p-value corrected within each).
    """
    pooled_p, later_p = _Least(), _Least()
    rows = zip(fits, pooled, pooled_null, later, later_null, strict=True)
    for fit, first, first_null, others, other_null in rows:
        if not fit.enough:
            continue
        pooled_p.add(fit.statistic(first), first_null)
        for candidate, under in zip(others, other_null, strict=True):
            later_p.add(fit.statistic(candidate), under)
    asked = [each.p_value() for each in (pooled_p, later_p) if each]
    return min(1.0, len(asked) * min(asked, default=1.0))


class _Least:
    """The least p-value of some statistics, corrected for looking at all of them."""

    def __init__(self) -> None:
        self._observed: dict[str, float] = {}
        self._null: dict[str, Floats] = {}

    def __len__(self) -> int:
        return len(self._observed)

    def add(self, observed: float, null: Floats) -> None:
        name = str(len(self))
        self._observed[name], self._null[name] = observed, null

    def p_value(self) -> float:
        return min(adjusted(self._observed, self._null).values())


def _frame(table: EffectTable) -> EffectTable:
    """The table without rows: names and levels only."""
    return table.take(np.zeros(len(table), dtype=np.bool_))


def _evidence(table: EffectTable, outcomes: tuple[OutcomeEffect, ...]) -> dict[str, float]:
    numbers: dict[str, float] = {"analysed_rows": float(len(table))}
    for name, events in zip(table.names, effective_events(table), strict=True):
        numbers[f"effective_{name}_events"] = float(events)
    for effect in outcomes:
        numbers |= {f"p_{block}_{effect.name}": p for block, p in effect.p_values.items()}
        numbers[f"slope_{effect.name}"] = effect.pooled.estimate
        numbers[f"slope_error_{effect.name}"] = effect.pooled.error
        if effect.half_life:
            numbers[f"half_life_{effect.name}"] = effect.half_life
    return numbers


def _powers(table: EffectTable, design: Design) -> dict[str, float]:
    powers = design.scale_by_risk.power
    return {f"risk_power_{name}": p for name, p in zip(table.names, powers, strict=True)}


def _sentence(table: EffectTable, outcomes: tuple[OutcomeEffect, ...]) -> str:
    found = [f"{effect.name} ({', '.join(effect.opened)})" for effect in outcomes if effect.opened]
    what = f"effects on {'; '.join(found)}" if found else "no effect that chance cannot explain"
    return f"dose against the arm {table.arms[table.neutral]} over {len(table)} draws: {what}"
