"""Which blocks open: the whole search, and the same search on redrawn arms.

The pooled block is tested first, on its own. The others are searched together, and their p-values
are corrected for that (step-down minimum p, Westfall and Young 1993), so that at most one null
outcome in twenty opens any of them. If the pooled block opens, its effect is taken out first, and
the others are tested against one effect for all (Ding, Feller and Miratrix 2016).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.dataset import Floats
from training.estimators.redraw import redrawn_residuals
from training.estimators.shrinkage import Block
from training.estimators.table import EffectTable

SIGNIFICANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A block as the search sees it: scores are ``weights`` [n, k] times dose residuals.

    ``block`` is its geometry and ``noise`` its score's variance over the information. With
    ``separate`` each column is an alternative (a half-life), and the best of them counts.
    """

    name: str
    weights: Floats
    block: Block | None
    noise: Floats
    separate: bool = False

    def statistic(self, scores: Floats) -> Floats:
        """How much speaks against "nothing" in each column of ``scores`` [k, B]."""
        if self.separate or self.block is None:
            return np.asarray((scores**2 / self.noise[:, None]).max(axis=0), dtype=np.float64)
        return self.block.evidence(scores, float(self.noise[0]))


def null_statistics(
    table: EffectTable, candidates: Sequence[Candidate], *, seed: int, redraws: int
) -> list[Floats]:
    """Statistics of every candidate under redrawn arms, each ``[redraws]``."""
    if not candidates:
        return []
    widths = [candidate.weights.shape[1] for candidate in candidates]
    stacked = np.concatenate([c.weights for c in candidates], axis=1).astype(np.float32)
    parts: list[list[Floats]] = [[] for _ in candidates]
    for residuals in redrawn_residuals(table, seed=seed, redraws=redraws):
        scores = (stacked.T @ residuals).astype(np.float64)
        begin = 0
        for part, candidate, width in zip(parts, candidates, widths, strict=True):
            part.append(candidate.statistic(scores[begin : begin + width]))
            begin += width
    return [np.concatenate(part) for part in parts]


def p_value(observed: float, null: Floats) -> float:
    """(1 + redraws at least as extreme) / (1 + redraws)."""
    return float((1 + (null >= observed - 1e-9 * abs(observed)).sum()) / (1 + len(null)))


def adjusted(observed: Mapping[str, float], null: Mapping[str, Floats]) -> dict[str, float]:
    """Step-down minimum-p adjusted p-values of all candidates, given their null statistics."""
    if not observed:
        return {}
    ranked = {name: _own_p(np.append(null[name], value)) for name, value in observed.items()}
    raw = {name: float(each[-1]) for name, each in ranked.items()}
    under = {name: each[:-1] for name, each in ranked.items()}
    result: dict[str, float] = {}
    floor = 0.0
    left = sorted(raw, key=lambda name: raw[name])
    while left:
        smallest = np.min([under[name] for name in left], axis=0)
        p = (1 + int((smallest <= raw[left[0]] + 1e-12).sum())) / (1 + len(smallest))
        floor = max(floor, p, raw[left[0]])
        result[left.pop(0)] = floor
    return result


def _own_p(drawn: Floats) -> Floats:
    """p-value of each draw among all of them; ties take the larger.

    The logged draw is one of them: ranking redraws among themselves only would put each a step
    above a logged draw of the same rank, and the smallest p-values would not be corrected at all.
    """
    ordered = np.sort(drawn)
    below = np.searchsorted(ordered, drawn - 1e-9 * np.abs(drawn), side="left")
    return np.asarray((len(drawn) - below) / len(drawn), dtype=np.float64)
