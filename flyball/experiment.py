"""Experiments: one reproducible draw per organisation and period, with its propensities."""

from __future__ import annotations

import hmac
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from flyball.arm import NEUTRAL
from flyball.errors import InvalidInput
from flyball.identity import check_identifier

#: Rounding slack: ε·|O| may be 1 up to float error.
_SLACK = 1e-9
_DRAW = b"draw"
_HOLDOUT = b"holdout"
# Labels hold no control characters, so this cannot occur inside a part of the message.
_SEPARATOR = b"\x1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An explicitly started experiment.

    Parameters
    ----------
    name:
        Identifier; part of every draw, so another name draws anew.
    secret:
        At least 16 bytes, never shown. Use one secret for an installation's whole life: the name
        already separates draws, and the holdout must stay the same tenants across experiments.
    epsilon:
        Probability of every offered arm that is not the policy's choice (0..0.5).
    holdout_share:
        Share of organisations kept at m = 1 for good (0..0.9).
    """

    name: str
    secret: bytes = field(repr=False)
    epsilon: float = 0.05
    holdout_share: float = 0.10

    def __post_init__(self) -> None:
        check_identifier(self.name, field="experiment")
        if len(self.secret) < 16:
            raise InvalidInput(
                "The experiment's secret is shorter than 16 bytes.",
                "Let 'flyball experiment start' make one.",
                field="secret",
            )
        if not 0.0 <= self.epsilon <= 0.5:
            raise InvalidInput(f"epsilon {self.epsilon} must lie in 0..0.5.", field="epsilon")
        if not 0.0 <= self.holdout_share <= 0.9:
            raise InvalidInput(
                f"holdout share {self.holdout_share} must lie in 0..0.9.", field="holdout_share"
            )

    def check_arms(self, count: int) -> None:
        """Raise InvalidInput unless ``count`` arms can each be given at least epsilon."""
        if self.epsilon * count > 1.0 + _SLACK:
            raise InvalidInput(
                f"epsilon {self.epsilon} times {count} arms is more than 1.",
                f"Use an epsilon of at most {1.0 / count:.4f}, or fewer arms.",
                field="epsilon",
            )


class Draw(NamedTuple):
    """The drawn arm, and each offered arm's propensity in ascending order of arms."""

    arm: int
    propensities: dict[int, float]


def propensities_of(offered: Iterable[int], choice: int, epsilon: float) -> dict[int, float]:
    """p(a) = ε + (1 - ε|O|)·[a is the choice], ascending by arm; sums to 1 within 1e-12.

    Raises
    ------
    InvalidInput
        The choice is not offered, or ε·|O| is above 1.
    """
    arms = sorted(set(offered))
    if choice not in arms:
        raise InvalidInput(f"arm {choice} is not offered.", field="choice", code="bad_arm")
    if not 0.0 <= epsilon * len(arms) <= 1.0 + _SLACK:
        raise InvalidInput(
            f"epsilon {epsilon} times {len(arms)} offered arms is not within 0..1.",
            field="epsilon",
        )
    rest = max(0.0, 1.0 - epsilon * (len(arms) - 1))
    return {arm: rest if arm == choice else epsilon for arm in arms}


def draw(
    organisation: str,
    period_start_us: int,
    experiment: str,
    secret: bytes,
    *,
    offered: Iterable[int],
    choice: int,
    epsilon: float,
) -> Draw:
    """The one draw of an organisation in a period: the same inputs always give the same arm.

    HMAC-SHA256 over organisation, period and experiment gives a number in [0, 1) that is laid on
    the propensities in ascending order of arms. Tenants of one organisation share the number, so
    that they move together.

    Raises
    ------
    InvalidInput
        See :func:`propensities_of`.
    """
    propensities = propensities_of(offered, choice, epsilon)
    if len(propensities) == 1:
        return Draw(choice, propensities)
    left = _uniform(secret, _DRAW, organisation, str(period_start_us), experiment)
    for arm, propensity in propensities.items():
        left -= propensity
        if left < 0.0:
            return Draw(arm, propensities)
    # Only float rounding of the sum ends here; the choice has the largest share.
    return Draw(choice, propensities)


def in_holdout(organisation: str, share: float, secret: bytes) -> bool:
    """Whether ``organisation`` is kept at m = 1 for good.

    Sticky: depends on the secret and the organisation alone; a larger share keeps every member of
    a smaller one.
    """
    return share > 0.0 and _uniform(secret, _HOLDOUT, organisation) < share


def marginal_propensity(arm: int, conditional: float, holdout_share: float) -> float:
    """Probability of ``arm`` over holdout and draw together.

    ``conditional`` is the arm's propensity among tenants outside the holdout; the holdout always
    has arm 100.
    """
    kept = holdout_share if arm == NEUTRAL else 0.0
    return kept + (1.0 - holdout_share) * conditional


def _uniform(secret: bytes, *parts: bytes | str) -> float:
    """A number in [0, 1) with 53 random bits."""
    message = _SEPARATOR.join(p if isinstance(p, bytes) else p.encode() for p in parts)
    digest = hmac.digest(secret, message, "sha256")
    return math.ldexp(int.from_bytes(digest[:8], "big") >> 11, -53)
