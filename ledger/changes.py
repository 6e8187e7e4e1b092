"""What the control loop must look at again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the change feed; only the store that made it can read it."""

    heads: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Tenants whose account, subscription, tickets, interventions or overrides changed.

    ``everyone`` is True when a plan, an incident, an experiment, a setting or the kill switch
    changed. Decisions are not reported: the loop writes them itself.
    """

    cursor: Cursor
    tenants: frozenset[str]
    everyone: bool
