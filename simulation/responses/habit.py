"""Habit: friction never helps; it piles up over weeks and raises churn."""

from __future__ import annotations

from simulation.response import CHURN, Floats, Situation, natural, sigmoid


def habit(s: Situation, felt: Floats, /) -> Floats:
    """Churn rises with this week's blocked share and what is left of earlier weeks'."""
    rates = natural(s)
    gathered = felt + s.memory.grievance
    rates[:, CHURN] *= 1.0 + 6.0 * gathered / (gathered + 0.15) * sigmoid(s.fragility + 0.5)
    return rates
