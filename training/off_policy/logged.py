"""Logged decisions with everything that off-policy value needs, checked once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flyball.errors import InvalidInput
from training.dataset import Bools, Floats, Ints

#: Rows of probabilities must sum to one within this.
SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedBandit:
    """One row per decision that was drawn with a known probability.

    Parameters
    ----------
    reward:
        What the decision earned ``[n]``: an outcome (0 or 1), or money per period. Finite.
    arm:
        Index ``[n]`` of the assigned arm, 0 … A-1.
    offered:
        Logged probability of every arm ``[n, A]``, 0 where it was not offered; rows sum to 1.
    cluster:
        Organisation code ``[n]``: rows of one organisation are never taken as independent.
    predicted:
        Reward that an outcome model expects of every arm ``[n, A]``, or None. The model must not
        have learned from the row's own organisation (fit it on others), else DR is not unbiased.
    stratum:
        Group code ``[n]`` (for instance drawn or holdout), or None: one group.
    event:
        Whether something rare and decisive happened ``[n]`` (an upgrade, a churn); by default
        where the reward is not 0. Give it when every row earns something.
    bounds:
        Lowest and highest possible reward, or None if it has no known bounds.

    Raises
    ------
    InvalidInput
        Shapes do not fit, a probability is outside 0 … 1, an assigned arm had probability 0, or a
        number is not finite.
    """

    reward: Floats
    arm: Ints
    offered: Floats
    cluster: Ints
    predicted: Floats | None = None
    stratum: Ints | None = None
    event: Bools | None = None
    bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        rows = len(self.reward)
        if rows == 0:
            raise InvalidInput("There are no logged rows to evaluate.", field="reward")
        for name in ("arm", "cluster", "stratum", "event"):
            column = getattr(self, name)
            if column is not None and column.shape != (rows,):
                raise InvalidInput(f"{name} needs one entry for each of {rows} rows.", field=name)
        _finite("reward", self.reward)
        check_probabilities("offered", self.offered, rows)
        if self.predicted is not None:
            if self.predicted.shape != self.offered.shape:
                raise InvalidInput("predicted needs one column per arm.", field="predicted")
            _finite("predicted", self.predicted)
        self._check_arms()
        self._check_bounds()

    def _check_arms(self) -> None:
        if int(self.arm.min()) < 0 or int(self.arm.max()) >= self.arms:
            raise InvalidInput("An arm index is outside the offered columns.", field="arm")
        if not bool((self.propensity > 0.0).all()):
            raise InvalidInput(
                "An assigned arm had logged probability 0; leave out rows that were not drawn.",
                field="offered",
                code="bad_propensity",
            )

    def _check_bounds(self) -> None:
        if self.bounds is None:
            return
        low, high = self.bounds
        if not low < high or self.reward.min() < low or self.reward.max() > high:
            raise InvalidInput(f"Rewards lie outside {low:g} … {high:g}.", field="bounds")

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def arms(self) -> int:
        """Number of arms A."""
        return int(self.offered.shape[1])

    @property
    def propensity(self) -> Floats:
        """Logged probability of the assigned arm ``[n]``."""
        return self.assigned(self.offered)

    @property
    def events(self) -> Bools:
        """``event``, or where the reward is not 0 ``[n]``."""
        return self.event if self.event is not None else self.reward != 0.0

    def assigned(self, table: Floats) -> Floats:
        """The entry of ``table`` ``[n, A]`` at each row's assigned arm ``[n]``."""
        return np.asarray(np.take_along_axis(table, self.arm[:, None], axis=1)[:, 0])

    def constant(self, arm: int) -> Floats:
        """The policy that always plays one arm (index), as probabilities ``[n, A]``."""
        table = np.zeros(self.offered.shape)
        table[:, arm] = 1.0
        return table

    def rewarded(self, reward: Floats, predicted: Floats | None) -> LoggedBandit:
        """The same decisions with another reward; events and their rows stay the same."""
        return replace(self, reward=reward, predicted=predicted, event=self.events, bounds=None)

    def take(self, mask: Bools) -> LoggedBandit:
        """The rows where ``mask`` holds."""
        return replace(
            self,
            reward=self.reward[mask],
            arm=self.arm[mask],
            offered=self.offered[mask],
            cluster=self.cluster[mask],
            predicted=None if self.predicted is None else self.predicted[mask],
            stratum=None if self.stratum is None else self.stratum[mask],
            event=None if self.event is None else self.event[mask],
        )


def check_probabilities(name: str, table: Floats, rows: int) -> None:
    """Refuse a table ``[n, A]`` whose rows are not probabilities that sum to one."""
    if table.ndim != 2 or len(table) != rows or table.shape[1] == 0:
        raise InvalidInput(f"{name} needs {rows} rows and one column per arm.", field=name)
    _finite(name, table)
    if float(table.min()) < 0.0 or float(np.abs(table.sum(axis=1) - 1.0).max()) > SUM_TOLERANCE:
        raise InvalidInput(
            f"Each row of {name} must hold probabilities that sum to 1.",
            field=name,
            code="bad_propensity",
        )


def _finite(name: str, values: Floats) -> None:
    if not bool(np.isfinite(values).all()):
        raise InvalidInput(f"{name} holds a value that is not finite.", field=name)
