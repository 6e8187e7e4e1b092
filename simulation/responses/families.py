"""The families by name."""

from __future__ import annotations

from simulation.response import Family
from simulation.responses.budget_rounds import budget_rounds
from simulation.responses.confounded import confounded
from simulation.responses.delayed import delayed
from simulation.responses.habit import habit
from simulation.responses.lock_in import lock_in
from simulation.responses.null import null
from simulation.responses.sign_flip import sign_flip
from simulation.responses.smooth import smooth
from simulation.responses.threshold import threshold
from simulation.responses.trade_down import trade_down

FAMILIES: dict[str, Family] = {
    "smooth": Family(rates=smooth),
    "threshold": Family(rates=threshold, unlogged=0.3),
    "habit": Family(rates=habit),
    "lock_in": Family(rates=lock_in, unlogged=0.3, held_out=True),
    "null": Family(rates=null, unlogged=0.3),
    "sign_flip": Family(rates=sign_flip, unlogged=0.3),
    "delayed": Family(rates=delayed, unlogged=0.3, held_out=True),
    "confounded": Family(rates=confounded, tilt=0.5, unlogged=0.5, rescue=0.8),
    # Few tenants ever meet their limit: hardly anything to learn from, or to gain.
    "rarely_limited": Family(rates=smooth, demand=0.4, unlogged=0.3),
    "trade_down": Family(rates=trade_down, unlogged=0.3, held_out=True),
    "budget_rounds": Family(rates=budget_rounds, unlogged=0.3, held_out=True),
}


def family_named(name: str) -> Family:
    """The family, or ValueError naming those there are."""
    family = FAMILIES.get(name)
    if family is None:
        raise ValueError(f"no family {name!r}; take one of {', '.join(FAMILIES)}")
    return family
