"""The outcomes that models predict, and how they are numbered everywhere in training."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """The first thing that happened within a unit's period; 0 means nothing did."""

    NONE = 0
    UPGRADE = 1
    DOWNGRADE = 2
    CHURN = 3


#: Order of the last axis of hazards and effects: index i is ``Outcome(i + 1)``.
OUTCOMES = (Outcome.UPGRADE, Outcome.DOWNGRADE, Outcome.CHURN)

#: Subscription kind -> outcome.
KIND_OUTCOME = {
    "upgraded": Outcome.UPGRADE,
    "downgraded": Outcome.DOWNGRADE,
    "churned": Outcome.CHURN,
}
