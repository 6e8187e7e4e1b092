"""What arms cause: the estimator interface, and the first estimator behind it.

``ArmMeans`` compares assigned arms with m = 1 by inverse propensities, per segment, shrunk towards
the pooled contrast, which is itself shrunk towards nothing. Where a randomisation test finds
nothing, the effect is exactly 0 and keeps its uncertainty; where there is too little evidence to
test, there is no effect at all (trust none), which is not the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from training.contrast import Contrast, Trials, contrasts, kish, trials_of
from training.dataset import Dataset, Floats, Ints
from training.outcome import OUTCOMES, Outcome
from training.randomisation import Verdicts, randomisation_test

TRUST_NONE, TRUST_POOLED, TRUST_SEGMENT = 0, 1, 2

#: Least effective number of upgrades or of churns over all analysed rows.
MIN_EVENTS = 100.0
#: Least effective rows of an arm, and effective events in its comparison with 100.
MIN_ARM_ROWS = 100.0
MIN_ARM_EVENTS = 20.0
#: Least effective events of an arm's comparison within a segment.
MIN_SEGMENT_EVENTS = 20.0
#: A block opens at this p-value or below.
SIGNIFICANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEffects:
    """Change in the probability of each outcome per period that each arm causes, against m = 1.

    ``mean`` and ``sd`` are ``[S + 1, A, 3]`` (last segment row: unknown segment),
    ``trust`` ``[S + 1, A]`` (0 none, 1 pooled, 2 segment, 3 personal). With trust 0 the numbers are
    0 and mean nothing. ``summary`` is one sentence for people; ``evidence`` the numbers behind it.
    """

    mean: Floats
    sd: Floats
    trust: Ints
    arms: tuple[int, ...]
    segments: tuple[str, ...]
    summary: str
    evidence: Mapping[str, float] = field(default_factory=dict)

    @property
    def present(self) -> bool:
        """Whether any arm but 100 has an effect that may be used."""
        return bool(self.trust.any())


class EffectEstimator(Protocol):
    """Learns arm effects from a dataset; a richer one may look at dose and features too."""

    def fit(self, dataset: Dataset, segments: tuple[str, ...]) -> ArmEffects:
        """Estimate for the vocabulary ``segments``; too little evidence is a result, no error."""
        ...


@dataclass(frozen=True, slots=True)
class ArmMeans:
    """Hájek arm means with organisation-clustered errors and empirical-Bayes shrinkage.

    ``seed`` and ``redraws`` belong to the randomisation tests.
    """

    seed: int = 7
    redraws: int = 199

    def fit(self, dataset: Dataset, segments: tuple[str, ...]) -> ArmEffects:
        """Estimate effects of every arm of ``dataset`` per segment of ``segments``."""
        trials = trials_of(dataset)
        evidence = _evidence(trials)
        lacking = _lacking(trials, evidence)
        if lacking:
            return no_effects(dataset.arms, segments, f"insufficient evidence: {lacking}", evidence)
        verdicts = randomisation_test(trials, seed=self.seed, redraws=self.redraws)
        return _estimate(trials, segments, verdicts, evidence)


def no_effects(
    arms: tuple[int, ...],
    segments: tuple[str, ...],
    summary: str,
    evidence: Mapping[str, float] | None = None,
) -> ArmEffects:
    """Effects that are absent for every arm."""
    shape = (len(segments) + 1, len(arms))
    return ArmEffects(
        mean=np.zeros((*shape, len(OUTCOMES))),
        sd=np.zeros((*shape, len(OUTCOMES))),
        trust=np.zeros(shape, dtype=np.int64),
        arms=arms,
        segments=segments,
        summary=summary,
        evidence=evidence or {},
    )


def _evidence(trials: Trials) -> dict[str, float]:
    numbers: dict[str, float] = {"analysed_rows": float(len(trials))}
    own = trials.offered[np.arange(len(trials)), trials.arm]
    # Rows without an alternative say nothing about an effect.
    choice = (trials.offered > 0.0).sum(axis=1) > 1
    for index, outcome in enumerate(OUTCOMES):
        weight = np.where(choice, trials.happened[:, index], 0.0) / own
        numbers[f"effective_{outcome.name.lower()}_events"] = kish(weight)
    return numbers


def _lacking(trials: Trials, evidence: Mapping[str, float]) -> str:
    if not len(trials):
        return "no decision was drawn with logged propensities of every offered arm"
    most = max(evidence["effective_upgrade_events"], evidence["effective_churn_events"])
    if most < MIN_EVENTS:
        return f"{most:.0f} effective upgrades or churns, {MIN_EVENTS:.0f} are needed"
    return ""


def _estimate(
    trials: Trials,
    segments: tuple[str, ...],
    verdicts: Verdicts,
    evidence: dict[str, float],
) -> ArmEffects:
    everyone = np.ones(len(trials), dtype=bool)
    pooled = [contrasts(trials, arm, everyone) for arm in range(len(trials.arms))]
    usable = [
        index
        for index, each in enumerate(pooled)
        if index != trials.neutral
        and each[0].rows >= MIN_ARM_ROWS
        and max(c.events for c in each) >= MIN_ARM_EVENTS
    ]
    base = no_effects(trials.arms, segments, "insufficient evidence: too few rows of any arm")
    if not usable:
        return base
    for outcome in range(len(OUTCOMES)):
        opened = bool(verdicts.pooled[outcome] <= SIGNIFICANCE)
        mean, sd = _towards_nothing([pooled[arm][outcome] for arm in usable], opened)
        base.mean[:, usable, outcome], base.sd[:, usable, outcome] = mean, sd
    base.trust[:, usable] = TRUST_POOLED
    _segments(trials, base, usable, verdicts)
    for index, outcome in enumerate(OUTCOMES):
        evidence[f"p_pooled_{outcome.name.lower()}"] = float(verdicts.pooled[index])
        evidence[f"p_segment_{outcome.name.lower()}"] = float(verdicts.segment[index])
    return ArmEffects(
        mean=base.mean,
        sd=base.sd,
        trust=base.trust,
        arms=trials.arms,
        segments=segments,
        summary=_sentence(trials, usable, verdicts),
        evidence=evidence,
    )


def _towards_nothing(each: list[Contrast], opened: bool) -> tuple[Floats, Floats]:
    """Posterior mean and SD per arm under N(0, τ²), τ² by moments over the arms of one outcome.

    A closed block has mean 0 and keeps the sampling error: not found is not known to be absent.
    """
    difference = np.asarray([c.difference for c in each])
    variance = np.asarray([c.error**2 for c in each])
    if not opened:
        return np.zeros(len(each)), np.sqrt(variance)
    spread = max(0.0, float((difference**2 - variance).mean()))
    keep = spread / (spread + variance)
    # The weight is itself estimated from a handful of arms: the SD stays that of the sample.
    return keep * difference, np.sqrt(variance)


def _segments(trials: Trials, effects: ArmEffects, usable: list[int], verdicts: Verdicts) -> None:
    """Replace pooled rows by segment rows for outcomes whose segments differ."""
    open_outcomes = np.flatnonzero(verdicts.segment <= SIGNIFICANCE)
    if not len(open_outcomes):
        return
    codes = {name: code for code, name in enumerate(trials.segments)}
    present = [(row, codes[name]) for row, name in enumerate(effects.segments) if name in codes]
    for arm in usable:
        found = [(row, contrasts(trials, arm, trials.segment == code)) for row, code in present]
        for outcome in open_outcomes:
            own = [
                (row, each[outcome])
                for row, each in found
                if each[outcome].events >= MIN_SEGMENT_EVENTS
            ]
            _towards_pooled(effects, arm, int(outcome), own)


def _towards_pooled(
    effects: ArmEffects, arm: int, outcome: int, own: list[tuple[int, Contrast]]
) -> None:
    """Shrink each segment towards the pooled effect; τ² by DerSimonian and Laird (1986)."""
    if len(own) < 2:
        return
    difference = np.asarray([c.difference for _, c in own])
    precision = np.asarray([c.error**-2 for _, c in own])
    centre = float((precision * difference).sum() / precision.sum())
    excess = float((precision * (difference - centre) ** 2).sum()) - (len(own) - 1)
    scale = float(precision.sum() - (precision**2).sum() / precision.sum())
    spread = max(0.0, excess / scale) if scale > 0 else 0.0
    if spread == 0.0:
        return
    keep = spread / (spread + 1.0 / precision)
    pooled_mean, pooled_sd = effects.mean[-1, arm, outcome], effects.sd[-1, arm, outcome]
    for (row, _), share, seen, weight in zip(own, keep, difference, precision, strict=True):
        effects.mean[row, arm, outcome] = pooled_mean + share * (seen - centre)
        effects.sd[row, arm, outcome] = np.sqrt(share / weight + (1.0 - share) ** 2 * pooled_sd**2)
        effects.trust[row, arm] = TRUST_SEGMENT


def _sentence(trials: Trials, usable: list[int], verdicts: Verdicts) -> str:
    arms = ", ".join(str(trials.arms[index]) for index in usable)
    found = [
        Outcome(index + 1).name.lower()
        for index in range(len(OUTCOMES))
        if verdicts.pooled[index] <= SIGNIFICANCE
    ]
    what = (
        f"an effect on {' and '.join(found)}" if found else "no effect that chance cannot explain"
    )
    return f"arms {arms} against 100 over {len(trials)} drawn decisions: {what}"
