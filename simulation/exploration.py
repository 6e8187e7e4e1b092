"""The vendor's own randomised decisions in the history: offered arms, propensities, one draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ARMS = (70, 85, 100, 115, 130)
NEUTRAL = 100
STEP = 15

_INDEX = {arm: i for i, arm in enumerate(ARMS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Arms ``[n]`` in hundredths, their propensities ``[n]``, and all propensities ``[n, 5]``."""

    arm: NDArray[np.int64]
    propensity: NDArray[np.float64]
    offered: NDArray[np.float64]


def offered_arms(
    contract_percent: NDArray[np.int64],
    previous: NDArray[np.int64],
    gentle: NDArray[np.bool_],
    settled: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Which arms may be drawn, ``[n, 5]``; 100 always is.

    An arm keeps the contract, is at most one step further from 100 than the arm before on its
    side, is not below 100 where ``gentle`` (new tenants, a renewal near) and is 100 where
    ``settled`` (the first four weeks of a new plan).
    """
    arms = np.array(ARMS)
    away = np.abs(arms - NEUTRAL)[None, :]
    same_side = np.sign(arms - NEUTRAL)[None, :] == np.sign(previous - NEUTRAL)[:, None]
    before = np.where(same_side, np.abs(previous - NEUTRAL)[:, None], 0)
    allowed = (arms[None, :] >= contract_percent[:, None]) & (away <= before + STEP)
    allowed &= ~(gentle[:, None] & (arms[None, :] < NEUTRAL))
    allowed &= ~(settled[:, None] & (arms[None, :] != NEUTRAL))
    allowed[:, _INDEX[NEUTRAL]] = True
    result: NDArray[np.bool_] = allowed
    return result


def by_organisation(
    uniform: NDArray[np.float64], parent_org: Sequence[str | None]
) -> NDArray[np.float64]:
    """``uniform`` ``[n]`` with one number for all tenants of an organisation, its first one's."""
    shared = uniform.copy()
    first: dict[str, int] = {}
    for row, org in enumerate(parent_org):
        if org:
            shared[row] = shared[first.setdefault(org, row)]
    return shared


def draw(
    allowed: NDArray[np.bool_],
    uniform: NDArray[np.float64],
    lean: NDArray[np.float64] | float = 0.0,
) -> Draw:
    """One arm a row, each offered one equally likely where ``lean`` is 0.

    A step tighter is exp(lean) times as likely as the arm above it; ``lean`` is one number a row.
    """
    steps = (NEUTRAL - np.array(ARMS)) / STEP
    weight = allowed * np.exp(np.broadcast_to(lean, len(allowed))[:, None] * steps[None, :])
    # Rounded as logged: what the learner reads is exactly what was drawn from.
    share = np.round(weight / weight.sum(axis=1, keepdims=True), 6)
    share[:, _INDEX[NEUTRAL]] += 1.0 - share.sum(axis=1)
    share[:, _INDEX[NEUTRAL]] = np.round(share[:, _INDEX[NEUTRAL]], 6)
    reached = np.cumsum(share, axis=1)
    choice = np.minimum((uniform[:, None] >= reached).sum(axis=1), len(ARMS) - 1)
    choice = np.where(allowed[np.arange(len(choice)), choice], choice, _INDEX[NEUTRAL])
    return Draw(
        arm=np.array(ARMS)[choice],
        propensity=share[np.arange(len(choice)), choice],
        offered=share,
    )
