"""What happened to one tenant, as people read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a tenant's history.

    ``kind`` is ``decision``, ``change``, ``outcome``, ``intervention``, ``ticket``, ``override``,
    ``override_end``, ``note``, ``task``, ``feedback`` or ``model``; ``what`` is its code, ``text``
    what somebody wrote, ``author`` who (empty: the product), ``arm`` the multiplier in hundredths.
    """

    at_us: int
    kind: str
    what: str
    text: str
    author: str
    arm: int | None
