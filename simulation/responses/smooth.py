"""Smooth: friction helps with growing and dependent tenants, and hurts fragile ones."""

from __future__ import annotations

import numpy as np

from simulation.response import CHURN, UPGRADE, Floats, Situation, natural, sigmoid


def smooth(s: Situation, felt: Floats, /) -> Floats:
    """Log-hazards rise with a saturating pain, times a logistic of latent traits."""
    rates = natural(s)
    pain = 1.0 - np.exp(-felt / 0.08)
    willing = sigmoid(0.4 + 1.3 * (s.dependence + s.intent) + 12 * s.momentum)
    brittle = sigmoid(-0.3 + 1.6 * s.fragility - 0.5 * s.dependence - 0.5 * s.health)
    rates[:, UPGRADE] *= np.exp(2.2 * pain * willing)
    rates[:, CHURN] *= np.exp(1.8 * pain * brittle)
    return rates
