"""What arms cause: the estimator interface, and the first estimator behind it.

``ArmMeans`` compares assigned arms with m = 1 by inverse propensities and shrinks the arms towards
one line over dose, and segments towards the pool. Where a randomisation test finds nothing, the
effect is exactly 0 and keeps its uncertainty; where there is too little evidence to test, there is
no effect at all (trust none), which is not the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from training.contrast import Contrast, Trials, contrasts, kish, trials_of
from training.dataset import Dataset, Floats, Ints, Single
from training.outcome import OUTCOMES, Outcome
from training.randomisation import REDRAWS, Verdicts, randomisation_test
from training.slope import Slope, mean_doses, slopes

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


#: Features, segments and doses to mean, SD and trust, as the estimator itself says them.
Reference = Callable[[Single, Ints, Single], tuple[Floats, Floats, Ints]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEffects:
    """Change in the probability of each outcome per period that each arm causes, against m = 1.

    ``mean`` and ``sd`` are ``[S + 1, A, 3]`` (last segment row: unknown segment),
    ``trust`` ``[S + 1, A]`` (0 none, 1 pooled, 2 segment, 3 personal). With trust 0 the numbers are
    0 and mean nothing. ``summary`` is one sentence for people; ``evidence`` the numbers behind it.
    ``graph`` builds the ONNX graph of an estimator that looks at more than the segment, given the
    number of features; then ``mean`` and ``sd`` are averages for people, and ``reference`` is what
    the graph must give for features ``[n, F]``, segments ``[n]`` and doses ``[n, A]``: mean and SD
    ``[n, A, 3]`` and trust ``[n, A]``.
    """

    mean: Floats
    sd: Floats
    trust: Ints
    arms: tuple[int, ...]
    segments: tuple[str, ...]
    summary: str
    evidence: Mapping[str, float] = field(default_factory=dict)
    graph: Callable[[int], bytes] | None = None
    reference: Reference | None = None

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
    redraws: int = REDRAWS

    def fit(self, dataset: Dataset, segments: tuple[str, ...]) -> ArmEffects:
        """Estimate effects of every arm of ``dataset`` per segment of ``segments``."""
        return self.fit_trials(trials_of(dataset), segments)

    def fit_trials(self, trials: Trials, segments: tuple[str, ...]) -> ArmEffects:
        """The same for rows that need not come from a dataset."""
        evidence = _evidence(trials)
        lacking = _lacking(trials, evidence)
        if lacking:
            return no_effects(trials.arms, segments, f"insufficient evidence: {lacking}", evidence)
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
    lines, doses = slopes(trials, everyone), mean_doses(trials, everyone)[usable]
    for outcome, line in enumerate(lines):
        opened = bool(verdicts.pooled[outcome] <= SIGNIFICANCE)
        mean, sd = _towards_line([pooled[arm][outcome] for arm in usable], line, doses)
        base.mean[:, usable, outcome] = mean if opened else 0.0
        # A closed block keeps its uncertainty: not found is not known to be absent.
        base.sd[:, usable, outcome] = sd
    base.trust[:, usable] = TRUST_POOLED
    _segments(trials, base, usable, verdicts, lines)
    for index, outcome in enumerate(OUTCOMES):
        evidence[f"p_pooled_{outcome.name.lower()}"] = float(verdicts.pooled[index])
        evidence[f"p_segment_{outcome.name.lower()}"] = float(verdicts.segment[index])
        evidence[f"slope_{outcome.name.lower()}"] = lines[index].value
    return ArmEffects(
        mean=np.clip(base.mean, -1.0, 1.0),
        sd=base.sd,
        trust=base.trust,
        arms=trials.arms,
        segments=segments,
        summary=_sentence(trials, usable, verdicts),
        evidence=evidence,
    )


def _towards_line(each: list[Contrast], line: Slope, doses: Floats) -> tuple[Floats, Floats]:
    """Posterior mean and SD per arm: arm means shrunk towards slope times mean dose.

    Empirical Bayes around a regression line (Efron and Morris 1975): how far arms really are from
    the line is estimated by moments; where they are no further than chance, the line is all.
    """
    difference = np.asarray([c.difference for c in each])
    variance = np.asarray([c.error**2 for c in each])
    if not np.isfinite(line.error):
        return difference, np.sqrt(variance)
    drawn = line.value * doses
    spread = max(0.0, float(((difference - drawn) ** 2 - variance).mean()))
    keep = spread / (spread + variance)
    sd = np.sqrt(keep * variance + ((1.0 - keep) * line.error * doses) ** 2)
    return drawn + keep * (difference - drawn), sd


def _segments(
    trials: Trials,
    effects: ArmEffects,
    usable: list[int],
    verdicts: Verdicts,
    pooled: list[Slope],
) -> None:
    """Move the rows of segments whose slopes differ, for outcomes where the test says they do."""
    opened = np.flatnonzero(verdicts.segment <= SIGNIFICANCE)
    codes = {name: code for code, name in enumerate(trials.segments)}
    rows = [(row, codes[name]) for row, name in enumerate(effects.segments) if name in codes]
    if not len(opened) or len(rows) < 2:
        return
    own = [(row, trials.segment == code) for row, code in rows]
    lines = [slopes(trials, members) for _, members in own]
    for outcome in map(int, opened):
        kept = [
            (row, members, each[outcome])
            for (row, members), each in zip(own, lines, strict=True)
            if each[outcome].events >= MIN_SEGMENT_EVENTS and np.isfinite(each[outcome].error)
        ]
        apart = _towards_pooled([line for _, _, line in kept], pooled[outcome])
        for (row, members, _), (delta, error) in zip(kept, apart, strict=True):
            doses = mean_doses(trials, members)[usable]
            effects.mean[row, usable, outcome] += delta * doses
            sd = np.hypot(effects.sd[row, usable, outcome], error * doses)
            effects.sd[row, usable, outcome] = sd
            effects.trust[row, usable] = TRUST_SEGMENT


def _towards_pooled(own: list[Slope], pooled: Slope) -> list[tuple[float, float]]:
    """How far each segment's slope is from the pooled one, shrunk, with its error.

    The variance between segments is estimated by moments (DerSimonian and Laird 1986).
    """
    value = np.asarray([line.value for line in own])
    precision = np.asarray([line.error**-2 for line in own])
    if len(own) < 2:
        return [(0.0, 0.0)] * len(own)
    excess = float((precision * (value - pooled.value) ** 2).sum()) - (len(own) - 1)
    scale = float(precision.sum() - (precision**2).sum() / precision.sum())
    spread = max(0.0, excess / scale) if scale > 0 else 0.0
    keep = spread / (spread + 1.0 / precision)
    moved = keep * (value - pooled.value)
    return list(zip(moved.tolist(), np.sqrt(keep / precision).tolist(), strict=True))


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
