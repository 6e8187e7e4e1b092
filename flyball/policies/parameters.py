"""Checks on the parameters that people give to policies."""

from __future__ import annotations

from flyball.arm import NEUTRAL
from flyball.errors import InvalidInput


def check_arm(arm: object, *, field: str, low: int = 1, high: int = 1000) -> int:
    """Return ``arm`` if it is a whole number of hundredths in ``low..high``."""
    if isinstance(arm, bool) or not isinstance(arm, int) or not low <= arm <= high:
        raise InvalidInput(
            f"policy parameter {field} {str(arm)[:32]!r} must be an arm in {low}..{high}.",
            "Arms are integer hundredths, such as 85.",
            field=field,
            code="bad_arm",
        )
    return arm


def check_relaxing(arm: object, *, field: str) -> int:
    """Return ``arm`` if it is 100 or above."""
    return check_arm(arm, field=field, low=NEUTRAL)


def check_tightening(arm: object, *, field: str) -> int:
    """Return ``arm`` if it is 100 or below."""
    return check_arm(arm, field=field, high=NEUTRAL)


def check_probability(value: object, *, field: str) -> float:
    """Return ``value`` if it is a number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise InvalidInput(
            f"policy parameter {field} {str(value)[:32]!r} must lie in 0..1.", field=field
        )
    return float(value)
