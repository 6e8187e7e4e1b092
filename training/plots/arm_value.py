"""What arms and the policy would have been worth against m = 1, with intervals."""

from __future__ import annotations

from pathlib import Path

from training.arm_value import POLICY, ArmValue
from training.off_policy.overlap import Refused
from training.off_policy.value import Estimate
from training.plots.canvas import BLUE, GREEN, GREY, RED, panels, percent, save, silent

TITLE = "Arm value: what would each arm have earned against m = 1?"


def draw_arm_values(values: tuple[ArmValue, ...], why_not: str, path: Path) -> Path:
    """One line an arm and one for the policy: point, 95 % interval, or why it is refused."""
    if not values:
        return silent(path, TITLE, why_not or "no tenant's revenue is known")
    figure, (axis,) = panels(1, TITLE, width=8.6, height=1.6 + 0.42 * len(values) + 0.6)
    axis.set_title(_finding(values), loc="left", fontsize=10)
    axis.axvline(0.0, color=GREY, linewidth=1, linestyle="--")
    for at, each in enumerate(values):
        if isinstance(each.difference, Refused):
            reason = each.difference.reason.split(";")[0]
            axis.text(0.0, at, f"  refused: {reason}", fontsize=8, va="center", color="0.35")
        else:
            found, colour = each.difference, _colour(each.difference)
            axis.plot([found.low, found.high], [at, at], color=colour, linewidth=2)
            axis.plot([found.value], [at], marker="o", color=colour, markersize=6)
    axis.set_yticks(range(len(values)), [_name(each) for each in values], fontsize=9)
    axis.set_ylim(len(values) - 0.5, -0.5)
    axis.set_xlabel("difference from m = 1, share of a period's revenue margin, 95 % interval")
    percent(axis, "x")
    return save(figure, path, left=2.9)


def _name(each: ArmValue) -> str:
    what = "the policy" if each.name == POLICY else f"m = {int(each.name) / 100:.2f} where offered"
    return f"{what} ({each.moved:.0%} moved)"


def _colour(found: Estimate) -> str:
    if found.low > 0.0:
        return GREEN
    return RED if found.high < 0.0 else BLUE


def _finding(values: tuple[ArmValue, ...]) -> str:
    policy = next((each for each in values if each.name == POLICY), None)
    if policy is None:
        return "the policy stays at m = 1 on these rows; arms for comparison"
    found = policy.difference
    if isinstance(found, Refused):
        return "too little overlap to say what the policy is worth"
    if found.low > 0.0:
        words = "the policy earns more than m = 1"
    else:
        words = "the policy earns less than m = 1" if found.high < 0.0 else "the log cannot tell"
    return f"{words}: {found.value:+.2%} [{found.low:+.2%}, {found.high:+.2%}]"
