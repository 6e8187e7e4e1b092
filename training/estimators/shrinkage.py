"""Empirical Bayes: how far a block's coefficients spread, and what is left of each of them.

Coefficients of a block are independent normal around 0 with one variance, which is chosen by its
marginal likelihood (Efron and Morris 1975); the posterior variance includes that this variance was
itself estimated (Morris 1983).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.dataset import Floats

#: Candidate variances, as multiples of the sampling variance of an average coefficient.
GRID = np.concatenate([[0.0], np.geomspace(0.02, 300.0, 24)])


@dataclass(frozen=True, slots=True)
class Posterior:
    """Mean [k] and covariance [k, k] of a block's coefficients, and their prior variance."""

    mean: Floats
    covariance: Floats
    prior: float


class Block:
    """The geometry of one block: information ``H`` [k, k] under the known design."""

    def __init__(self, information: Floats) -> None:
        values, vectors = np.linalg.eigh((information + information.T) / 2.0)
        kept = values > max(1e-9 * float(values.max(initial=0.0)), 1e-300)
        self._values, self._vectors = values[kept], vectors[:, kept]
        self._null = vectors[:, ~kept]

    @property
    def rank(self) -> int:
        """Directions in which anything can be learned."""
        return len(self._values)

    def noise(self, meat: Floats) -> float:
        """How many times ``information`` the scores' variance ``meat`` [k, k] is, on average."""
        rotated = np.einsum("ij,ik,kj->j", self._vectors, meat, self._vectors)
        return float((rotated / self._values).mean()) if self.rank else 1.0

    def evidence(self, score: Floats, noise: float) -> Floats:
        """Best log evidence against all-zero coefficients, of each column of ``score`` [k, B]."""
        squared = self._squared(score) / (noise * self._values[:, None])
        return np.asarray(self._gains(squared, noise).max(axis=0), dtype=np.float64)

    def posterior(self, score: Floats, noise: float) -> Posterior:
        """Shrunk coefficients given ``score`` [k] = H · least-squares estimate + noise."""
        estimate = (self._vectors.T @ score) / self._values
        variance = noise / self._values
        if self.rank == 1:
            prior = max(0.0, float(estimate[0] ** 2 - variance[0]))
        else:
            squared = (estimate**2 / variance)[:, None]
            prior = float(self._priors(noise)[int(self._gains(squared, noise)[:, 0].argmax())])
        keep = prior / (prior + variance)
        mean = keep * estimate
        # The prior variance is an estimate from `rank` numbers.
        unsure = 2.0 / self.rank * ((1.0 - keep) * estimate) ** 2
        spread = keep * variance + unsure
        covariance = (self._vectors * spread) @ self._vectors.T
        # Where the data say nothing, the prior is all there is.
        covariance += prior * (self._null @ self._null.T)
        return Posterior(self._vectors @ mean, covariance, prior)

    def _squared(self, score: Floats) -> Floats:
        return np.asarray((self._vectors.T @ score) ** 2, dtype=np.float64)

    def _priors(self, noise: float) -> Floats:
        return np.asarray(GRID * noise / float(self._values.mean()), dtype=np.float64)

    def _gains(self, squared: Floats, noise: float) -> Floats:
        """Log evidence [G, B] of each candidate variance, from z² [k, B]."""
        ratio = self._priors(noise)[:, None] * self._values[None, :] / noise
        gain = (ratio / (1.0 + ratio)) @ squared - np.log1p(ratio).sum(axis=1)[:, None]
        return np.asarray(gain / 2.0, dtype=np.float64)
