"""The interface of effect estimators: fit a table, then say what each arm does to each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training.dataset import Bools, Floats, Ints
from training.estimators.table import EffectTable, Subjects

#: Levels of trust, as in ``flyball.outlook.Trust`` and in bundles.
TRUST_NONE, TRUST_POOLED, TRUST_SEGMENT, TRUST_PERSONAL = 0, 1, 2, 3

#: Least effective events of the commonest outcome; below it nothing has an effect.
MIN_EVENTS = 100.0
#: Least effective events for an outcome to have an effect of its own.
MIN_OUTCOME_EVENTS = 50.0
#: Least effective rows of an arm.
MIN_ARM_ROWS = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Change of each outcome that each arm causes against the neutral arm, for n rows.

    ``mean`` and ``sd`` are ``[n, A, K]`` in the outcome's unit (probability per period for 0/1
    outcomes), ``trust`` ``[n, A]`` (0 none, 1 pooled, 2 segment, 3 personal). With trust 0 the
    numbers are 0 and mean nothing.
    """

    mean: Floats
    sd: Floats
    trust: Ints

    def __len__(self) -> int:
        return len(self.mean)


class FittedEffects(Protocol):
    """What an estimator learned."""

    @property
    def summary(self) -> str:
        """One sentence for people."""
        ...

    @property
    def evidence(self) -> Mapping[str, float]:
        """The numbers behind the sentence."""
        ...

    def effects(self, subjects: Subjects) -> Effects:
        """Effects for rows that need not have been in the table."""
        ...


class Estimator(Protocol):
    """Learns effects from logged draws; too little evidence is a result, not an error."""

    @property
    def name(self) -> str:
        """Short name for tables."""
        ...

    def fit(self, table: EffectTable) -> FittedEffects:
        """Learn from ``table``."""
        ...


@dataclass(frozen=True, slots=True)
class NoEffects:
    """Effects that are absent: trust none everywhere."""

    arms: int
    outcomes: int
    summary: str
    evidence: Mapping[str, float]

    def effects(self, subjects: Subjects) -> Effects:
        """Zeros without trust."""
        shape = (len(subjects), self.arms)
        zeros = np.zeros((*shape, self.outcomes))
        return Effects(mean=zeros, sd=zeros.copy(), trust=np.zeros(shape, dtype=np.int64))


def effective_events(table: EffectTable) -> Floats:
    """Kish's effective number of rows with each 0/1 outcome ``[K]`` (rows of other outcomes)."""
    weight = np.where(table.choice, 1.0 / np.maximum(table.own_propensity, 1e-12), 0.0)
    happened = np.where(table.binary[None, :], table.outcomes > 0.5, True)
    weights = weight[:, None] * happened
    return _kish(weights)


def effective_rows(table: EffectTable) -> Floats:
    """Kish's effective number of rows of each arm ``[A]``."""
    assigned = table.arm[:, None] == np.arange(len(table.arms))[None, :]
    return _kish(np.where(assigned, 1.0 / np.maximum(table.own_propensity, 1e-12)[:, None], 0.0))


def usable_arms(table: EffectTable) -> Bools:
    """Arms other than the neutral one that were drawn often enough to speak of, ``[A]``."""
    usable = effective_rows(table) >= MIN_ARM_ROWS
    usable[table.neutral] = False
    return np.asarray(usable, dtype=np.bool_)


def lacking(table: EffectTable, *, min_events: float = MIN_EVENTS) -> str:
    """Why nothing can be learned from ``table``; "" if something can."""
    if not len(table):
        return "no decision was drawn with logged propensities of every offered arm"
    most = float(effective_events(table).max())
    if most < min_events:
        return f"{most:.0f} effective events of any outcome, {min_events:.0f} are needed"
    if not usable_arms(table).any():
        return f"no arm but the neutral one has {MIN_ARM_ROWS:.0f} effective rows"
    return ""


def absent(table: EffectTable, why: str) -> NoEffects:
    """No effects for ``table``, because of ``why``."""
    evidence = {"analysed_rows": float(len(table))}
    return NoEffects(len(table.arms), len(table.names), f"insufficient evidence: {why}", evidence)


def _kish(weights: Floats) -> Floats:
    total, squares = weights.sum(axis=0), (weights**2).sum(axis=0)
    return np.asarray(
        np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0.0),
        dtype=np.float64,
    )
