"""Qini curves: do predicted effects find the tenants whom an arm really moves?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.outcome_model import OUTCOMES
from training.plots.canvas import BLUE, GREY, RED, panels, save, silent
from training.qini import Qini

TITLE = "Qini: do predicted effects find whom an arm moves?"


def draw_qini(curves: tuple[Qini, ...], why_not: str, path: Path) -> Path:
    """One panel an outcome, one curve an arm with a 95 % band; held-out organisations only."""
    shown = [name for name in OUTCOMES if any(each.outcome == name for each in curves)]
    if not shown:
        return silent(path, TITLE, why_not or "no predicted effect differs between tenants")
    figure, axes = panels(len(shown), TITLE, width=max(4.6, 8.0 / len(shown)))
    for axis, outcome in zip(axes, shown, strict=True):
        mine = [each for each in curves if each.outcome == outcome]
        axis.set_title(_finding(outcome, mine), loc="left", fontsize=10)
        for curve, colour in zip(mine, (RED, BLUE), strict=False):
            _curve(axis, curve, colour)
        axis.axhline(0.0, color="0.85", linewidth=0.8, zorder=0)
        axis.set_xlabel("share of tenants, largest predicted effect first")
        axis.set_ylabel("outcomes caused per 1,000 tenants and period")
        axis.legend(frameon=False, fontsize=8)
        axis.set_xlim(0.0, 1.0)
        axis.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    return save(figure, path)


def _finding(outcome: str, curves: list[Qini]) -> str:
    good = [f"m = {each.arm / 100:.2f}" for each in curves if each.ranks]
    words = f"ranks better than chance ({', '.join(good)})" if good else "no better than chance"
    return f"{outcome}: {words}\n{curves[0].rows:,} decisions of organisations not learned from"


def _curve(axis: Any, curve: Qini, colour: str) -> None:
    caused, half = 1000.0 * curve.caused, 1000.0 * curve.half
    label = (
        f"m = {curve.arm / 100:.2f}: Qini {1000.0 * curve.coefficient:+.2f} "
        f"± {1960.0 * curve.error:.2f}"
    )
    axis.plot([0.0, 1.0], [0.0, caused[-1]], color=GREY, linewidth=1, linestyle="--")
    axis.fill_between(curve.share, caused - half, caused + half, color=colour, alpha=0.15, lw=0)
    axis.plot(curve.share, caused, color=colour, linewidth=1.6, label=label)
