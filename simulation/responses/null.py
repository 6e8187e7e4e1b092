"""Null: throttling changes nothing that tenants do."""

from __future__ import annotations

from simulation.response import Floats, Situation, natural


def null(s: Situation, felt: Floats, /) -> Floats:
    """Natural rates, whatever is felt."""
    del felt
    return natural(s)
