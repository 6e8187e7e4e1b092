"""What the R-learner on dose learned: coefficients per outcome, and effects of any row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from training.dataset import Bools, Floats, Ints
from training.estimators.design import Design
from training.estimators.estimator import (
    TRUST_NONE,
    TRUST_PERSONAL,
    TRUST_POOLED,
    TRUST_SEGMENT,
    Effects,
)
from training.estimators.shrinkage import Posterior
from training.estimators.table import EffectTable, Subjects, filled_dose

#: Trust that an open block of deviations earns.
BLOCK_TRUST = {
    "segment": TRUST_SEGMENT,
    "plan": TRUST_SEGMENT,
    "risk": TRUST_PERSONAL,
    "personal": TRUST_PERSONAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """One coefficient per unit of dose.

    ``mean`` and ``sd`` are used (mean 0 if the block is closed: not found is not known to be
    absent, so ``sd`` stays); ``estimate`` and ``error`` are what least squares gave.
    """

    mean: float
    sd: float
    estimate: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeEffect:
    """One outcome's effect per unit of felt dose, at average risk.

    ``carry`` is what a unit of dose does later, summed over the future (0 and 0 if closed).
    ``deviations`` maps an open block to the posterior of its coefficients. ``p_values`` are of all
    blocks that could be tested; ``opened`` those used.
    """

    name: str
    pooled: Pooled
    carry_mean: float = 0.0
    carry_sd: float = 0.0
    half_life: float = 0.0
    deviations: Mapping[str, Posterior] = field(default_factory=dict)
    p_values: Mapping[str, float] = field(default_factory=dict)
    opened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseEffects:
    """Effects that are a row's coefficient times what is felt of an arm's dose.

    ``table`` has no rows: it names arms, outcomes, segments and plans. Arms outside ``usable`` [A]
    have no effect; outcomes outside ``binary`` [K] are amounts, not probabilities.
    """

    table: EffectTable
    design: Design
    outcomes: tuple[OutcomeEffect, ...]
    usable: Bools
    binary: Bools
    evidence: Mapping[str, float]
    summary: str

    def effects(self, subjects: Subjects) -> Effects:
        """Mean, SD and trust of every arm for ``subjects``; unknown doses take the fallback."""
        dose = subjects.dose
        if self.table.fallback_dose is not None:
            dose = filled_dose(dose, self.table.fallback_dose)
        known = subjects.felt(np.nan_to_num(dose), self.table.half_felt)
        felt = np.where(self.usable[None, :], known, 0.0)
        parts = [self.per_dose(subjects, k) for k in range(len(self.outcomes))]
        mean = np.stack([felt * part[0][:, None] for part in parts], axis=2)
        sd = np.stack([np.abs(felt) * part[1][:, None] for part in parts], axis=2)
        return Effects(mean=np.clip(mean, *self._bounds()), sd=sd, trust=self.trust(subjects))

    def per_dose(self, subjects: Subjects, outcome: int) -> tuple[Floats, Floats]:
        """Mean and SD [n] of what one unit of felt dose does to ``outcome``, now and later."""
        effect = self.outcomes[outcome]
        mean = np.full(len(subjects), effect.pooled.mean + effect.carry_mean)
        variance = np.full(len(subjects), effect.pooled.sd**2 + effect.carry_sd**2)
        for block, posterior in effect.deviations.items():
            columns = self.design.columns(block, subjects, outcome)
            mean += columns @ posterior.mean
            variance += np.einsum("ij,jk,ik->i", columns, posterior.covariance, columns)
            variance += np.where(self._unknown(block, subjects), posterior.prior, 0.0)
        rho = self.design.rho(subjects, outcome)
        return rho * mean, rho * np.sqrt(np.maximum(variance, 0.0))

    def trust(self, subjects: Subjects) -> Ints:
        """The most personal level that any outcome's effect used, ``[n, A]``."""
        level = np.full(len(subjects), TRUST_POOLED, dtype=np.int64)
        for effect in self.outcomes:
            for block in effect.deviations:
                known = ~self._unknown(block, subjects)
                level = np.maximum(level, np.where(known, BLOCK_TRUST[block], TRUST_POOLED))
        return np.where(self.usable[None, :], level[:, None], TRUST_NONE).astype(np.int64)

    def _unknown(self, block: str, subjects: Subjects) -> Bools:
        if block == "segment":
            return np.asarray(subjects.segment < 0)
        if block == "plan":
            return np.asarray(subjects.plan < 0)
        return np.zeros(len(subjects), dtype=np.bool_)

    def _bounds(self) -> tuple[Floats, Floats]:
        """A probability changes by at most 1; other outcomes by anything."""
        limit = np.where(self.binary, 1.0, np.inf)
        return -limit, limit
