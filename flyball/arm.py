"""Arms: the grid of multipliers, in integer hundredths, and what each does to a limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flyball.errors import InvalidInput
from flyball.limit import Limit

#: The arm that changes nothing.
NEUTRAL = 100

DEFAULT_GRID = (70, 85, 100, 115, 130)


def effective_limit(base: int, arm: int) -> int:
    """Base limit times arm, rounded up, in exact integer arithmetic.

    Parameters
    ----------
    base:
        Base limit (≥ 1).
    arm:
        Multiplier in integer hundredths (≥ 1).

    Examples
    --------
    >>> effective_limit(10_000, 85), effective_limit(3, 70)
    (8500, 3)
    """
    return -(-base * arm // 100)


def keeps_contracts(arm: int, limits: Iterable[Limit]) -> bool:
    """Whether ``arm`` leaves every limit, endpoints included, at or above what was promised."""
    return all(
        effective_limit(base, arm) >= contract
        for limit in limits
        for base, contract in limit.promises
    )


def parse_arm(value: object) -> int:
    """Read a multiplier as people write it (``0.85``, ``"1.15"``) into integer hundredths.

    Raises
    ------
    InvalidInput
        Not a number, finer than hundredths, or outside 0.01..10.

    Examples
    --------
    >>> parse_arm("0.85"), parse_arm(1)
    (85, 100)
    """
    try:
        number = float(str(value))
        arm = round(number * 100)
        if not isinstance(value, bool) and abs(number * 100 - arm) < 1e-6 and 1 <= arm <= 1000:
            return arm
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(
        f"multiplier {str(value)[:32]!r} cannot be used.",
        "Write it in hundredths between 0.01 and 10, such as 0.85.",
        field="arm",
        code="bad_arm",
    )


def nearest_towards_neutral(arm: int, arms: tuple[int, ...]) -> int:
    """The one of ``arms`` closest to ``arm`` among those from ``arm`` to 100.

    ``arms`` must hold 100.
    """
    if arm < NEUTRAL:
        return min(a for a in arms if arm <= a <= NEUTRAL)
    return max(a for a in arms if NEUTRAL <= a <= arm)


@dataclass(frozen=True, slots=True)
class ArmGrid:
    """The configured multipliers: distinct integer hundredths in 1..1000, with 100 among them."""

    arms: tuple[int, ...] = DEFAULT_GRID

    def __post_init__(self) -> None:
        if NEUTRAL not in self.arms:
            raise InvalidInput("The arm grid must contain 100.", field="arms", code="bad_arm")
        if list(self.arms) != sorted(set(self.arms)) or not all(1 <= a <= 1000 for a in self.arms):
            raise InvalidInput(
                f"The arm grid {self.arms} must be ascending, distinct and within 1..1000.",
                field="arms",
                code="bad_arm",
            )

    def distinct(self, base: int) -> tuple[int, ...]:
        """Arms that give different limits on ``base``; of two alike the one nearest 100 stays."""
        by_limit: dict[int, int] = {}
        for arm in sorted(self.arms, key=lambda a: (abs(a - NEUTRAL), a)):
            by_limit.setdefault(effective_limit(base, arm), arm)
        return tuple(sorted(by_limit.values()))

    def allowed(self, limits: Iterable[Limit]) -> tuple[int, ...]:
        """Arms whose effective limit keeps every contract; never empty, always with 100.

        An arm below any contract limit, endpoints' included, is left out, not clipped. The first
        limit is the primary one and decides which arms count as one.
        """
        several = tuple(limits)
        if not several:
            return (NEUTRAL,)
        return tuple(arm for arm in self.distinct(several[0].base) if keeps_contracts(arm, several))
