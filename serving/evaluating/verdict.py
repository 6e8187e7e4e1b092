"""What an evaluation gives, and the one refusal that is no fault of the request."""

from __future__ import annotations

import msgspec

from flyball.errors import FlyballError
from flyball.outlook import Hazards


class Busy(FlyballError):
    """More requests wait than one worker takes on."""


# Structs, because frozen dataclasses take several times as long to make.
class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What was found for one tenant.

    ``served_arm`` is to be enforced now: the arm in force, or 100 where ``moved`` says why.
    ``proposed_arm`` is what the policy would choose now among the arms that a move could lead to;
    chances are over 28 days under it, None without a model. ``floor`` is the lowest multiplier of
    the primary limit, in hundredths, whatever the arm.
    """

    served_arm: int
    moved: tuple[str, ...]
    proposed_arm: int
    reasons: tuple[str, ...]
    chances: Hazards | None
    floor: int = 0


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluation and what it rests on; ``evaluation`` is None where the table lacks the tenant.

    ``as_of_us`` is the time that the features are of.
    """

    evaluation: Evaluation | None
    as_of_us: int | None = None
    model_version: str = ""
    policy: str = ""


#: Where the table lacks the tenant, or there is none.
NOTHING = Evaluated(evaluation=None)
