"""One outcome's fit: scores of every block, the search, and the posteriors of what opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from training.dataset import Floats
from training.estimators.baseline import cluster_folds
from training.estimators.carry import HALF_LIVES, Past, future
from training.estimators.design import DEVIATIONS, Design
from training.estimators.dose_effects import OutcomeEffect, Pooled
from training.estimators.search import Candidate, adjusted, p_value
from training.estimators.shrinkage import Block, Posterior
from training.estimators.table import EffectTable


@dataclass(kw_only=True)
class OutcomeFit:
    """Fits outcome number ``outcome``; ``unexplained`` [n] is the outcome minus its expectation.

    Without ``enough`` events nothing opens.

    Redraws are shared between outcomes, so the caller makes them between the three steps.
    """

    table: EffectTable
    design: Design
    past: Past | None
    outcome: int
    unexplained: Floats
    seed: int
    significance: float
    enough: bool = True
    _p_pooled: float = field(default=1.0, init=False)
    _slope: float = field(default=0.0, init=False)
    _error: float = field(default=np.inf, init=False)
    _posterior: Posterior = field(init=False)
    _rest: Floats = field(init=False)
    #: What one unit of slope does to each row: its residual, as much as its risk makes of it [n].
    _moved: Floats = field(init=False)
    #: What each row tells about a slope [n]: squared errors count by 1 / rho.
    _told: Floats = field(init=False)
    _rho: Floats = field(init=False)

    def __post_init__(self) -> None:
        rho = self.design.rho(self.table.subjects, self.outcome)
        self._rho = rho
        self._moved, self._told = self.table.residual * rho, self.table.variance * rho

    def pooled_candidate(self) -> Candidate:
        """The pooled block, to be tested first."""
        weights, block = self.unexplained[:, None], self._pooled_block()
        noise = _one(self._noise(weights, block))
        return Candidate(name="pooled", weights=weights, block=block, noise=noise)

    def deviation_candidates(self, pooled_null: Floats) -> list[Candidate]:
        """The other blocks, after the pooled one was judged by its statistics under redraws."""
        self._p_pooled = p_value(self.statistic(self.pooled_candidate()), pooled_null)
        self._slope, self._error, self._posterior = self._pooled()
        if not self.enough or not self.table.binary[self.outcome]:
            # A few large amounts swamp anything finer than one effect for all.
            return []
        opened = self._pooled_opens()
        self._rest = self.unexplained - self._moved * (self._slope if opened else 0.0)
        carry = self._carry(self._rest)
        return ([carry] if carry else []) + self._deviations(self._rest)

    def statistic(self, candidate: Candidate) -> float:
        """What the logged draws gave."""
        return float(candidate.statistic(self._score(candidate.weights)[:, None])[0])

    def result(
        self, candidates: Sequence[Candidate], null: Sequence[Floats], *, any_at_all: bool = True
    ) -> OutcomeEffect:
        """Open what the test opens, given every candidate's statistics under redraws.

        Nothing opens unless ``any_at_all`` effect was found among all outcomes and blocks.
        """
        p_values = adjusted(
            {c.name: self.statistic(c) for c in candidates},
            {c.name: each for c, each in zip(candidates, null, strict=True)},
        )
        chosen = [c for c in candidates if any_at_all and p_values[c.name] <= self.significance]
        opened = any_at_all and self._pooled_opens()
        effect = OutcomeEffect(
            name=self.table.names[self.outcome],
            pooled=Pooled(
                mean=float(self._posterior.mean[0]) if opened else 0.0,
                sd=float(np.sqrt(self._posterior.covariance[0, 0])) if opened else self._error,
                estimate=self._slope,
                error=self._error,
            ),
            deviations=self._shrunk([c for c in chosen if c.name != "carry"]),
            p_values={"pooled": self._p_pooled, **p_values},
            opened=(*(("pooled",) if opened else ()), *(c.name for c in chosen)),
        )
        return self._with_carry(effect, self._rest) if "carry" in effect.opened else effect

    def _pooled_block(self) -> Block:
        return Block(np.asarray([[self._told.sum()]]))

    def _pooled(self) -> tuple[float, float, Posterior]:
        """Least squares, its error around the estimate (not around 0), and the posterior."""
        information = float(self._told.sum())
        score = self._score(self.unexplained[:, None])
        slope = float(score[0]) / information
        around = (self.unexplained - slope * self._moved)[:, None]
        block = self._pooled_block()
        noise = self._noise(around, block)
        return slope, float(np.sqrt(noise / information)), block.posterior(score, noise)

    def _deviations(self, rest: Floats) -> list[Candidate]:
        found = []
        for name in DEVIATIONS:
            columns = self.design.columns(name, self.table.subjects, self.outcome)
            if not columns.shape[1] or not np.any(columns):
                continue
            block = Block((columns * self._told[:, None]).T @ columns)
            weights = columns * rest[:, None]
            if block.rank:
                noise = _one(self._noise(weights, block))
                found.append(Candidate(name=name, weights=weights, block=block, noise=noise))
        return found

    def _shrunk(self, chosen: list[Candidate]) -> dict[str, Posterior]:
        """Posteriors in order, each of what the earlier ones left."""
        left = self.unexplained - self._slope * self._moved
        posteriors: dict[str, Posterior] = {}
        for candidate in chosen:
            assert candidate.block is not None
            columns = self.design.columns(candidate.name, self.table.subjects, self.outcome)
            score = self._score(columns * left[:, None])
            posterior = candidate.block.posterior(score, float(candidate.noise[0]))
            posteriors[candidate.name] = posterior
            left = left - self._moved * (columns @ posterior.mean)
        return posteriors

    def _carry(self, rest: Floats) -> Candidate | None:
        """Past doses as alternatives, one column a half-life; scores are linear in the draws."""
        if self.past is None:
            return None
        weights = np.column_stack([self.past.later(rest, h) for h in HALF_LIVES])
        if not np.any(weights):
            return None
        noise = (weights**2 * self.table.variance[:, None]).sum(axis=0)
        return Candidate(
            name="carry",
            weights=weights,
            block=None,
            noise=np.maximum(noise, 1e-300),
            separate=True,
        )

    def _with_carry(self, effect: OutcomeEffect, rest: Floats) -> OutcomeEffect:
        assert self.past is not None
        half_life = self._half_life(rest)
        block = Block(np.asarray([[self._carry_information(half_life).sum()]]))
        weights = self.past.later(rest, half_life)[:, None]
        posterior = block.posterior(self._score(weights), self._noise(weights, block))
        ahead = future(half_life)
        return OutcomeEffect(
            name=effect.name,
            pooled=effect.pooled,
            carry_mean=float(posterior.mean[0]) * ahead,
            carry_sd=float(np.sqrt(posterior.covariance[0, 0])) * ahead,
            half_life=half_life,
            deviations=effect.deviations,
            p_values=effect.p_values,
            opened=effect.opened,
        )

    def _half_life(self, rest: Floats) -> float:
        """The half-life that explains held-out clusters best."""
        assert self.past is not None
        half = cluster_folds(self.table.cluster, 2, self.seed) == 0
        best, most = HALF_LIVES[0], -np.inf
        for half_life in HALF_LIVES:
            carry = self.past.earlier(self.table.residual, half_life)
            information = self._carry_information(half_life)
            gain = 0.0
            for fitted, judged in ((half, ~half), (~half, half)):
                slope = (carry * rest)[fitted].sum() / max(information[fitted].sum(), 1e-300)
                gain += 2.0 * slope * (carry * rest)[judged].sum()
                gain -= slope**2 * information[judged].sum()
            if gain > most:
                best, most = half_life, gain
        return best

    def _carry_information(self, half_life: float) -> Floats:
        """What each row tells about a slope on carry [n], under the logged propensities."""
        assert self.past is not None
        # Halving variances means squaring the decay: half the half-life.
        return self._rho * self.past.earlier(self.table.variance, half_life / 2.0)

    def _score(self, weights: Floats) -> Floats:
        return np.asarray(weights.T @ self.table.residual, dtype=np.float64)

    def _pooled_opens(self) -> bool:
        return self.enough and self._p_pooled <= self.significance

    def _noise(self, weights: Floats, block: Block) -> float:
        """Variance of the score over the information: by cluster, and at least by design."""
        moved = weights * self.table.residual[:, None]
        count = int(self.table.cluster.max()) + 1
        sums = np.stack(
            [np.bincount(self.table.cluster, weights=column, minlength=count) for column in moved.T]
        )
        seen = max(2, len(np.unique(self.table.cluster)))
        meat = np.asarray(sums @ sums.T, dtype=np.float64)
        by_cluster = block.noise(meat) * seen / (seen - 1)
        by_design = block.noise((weights * self.table.variance[:, None]).T @ weights)
        return max(by_cluster, by_design, 1e-300)


def _one(value: float) -> Floats:
    return np.asarray([value])
