"""What a node's copy is worth: the ladder as gateways walk it, with its last step being open."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from serving.snapshot.answer import FRESH_US, LAST_KNOWN_GOOD_US
from serving.snapshot.version import Version


class State(StrEnum):
    """What a node enforces: what was decided, the last of it without friction, or nothing."""

    FRESH = "fresh"
    LAST_KNOWN_GOOD = "last_known_good"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A node's state, why, and of which version.

    ``why`` is empty, ``no_snapshot``, ``too_old``, ``kill_file`` or ``refused`` (the newest data
    was not signed as it should be). ``published_us`` is when the service wrote what is held.
    """

    state: State
    why: str = ""
    version: Version | None = None
    published_us: int | None = None

    def age_us(self, now_us: int) -> int:
        """Age of what is held; 0 without anything, and where clocks disagree."""
        return 0 if self.published_us is None else max(0, now_us - self.published_us)


def changes_at_us(published_us: int, now_us: int) -> int | None:
    """When a copy that nobody renews takes its next step down the ladder; None: it is at its end.

    Until then :func:`standing_of` finds the same state, whatever it is asked.
    """
    for age_us in (FRESH_US, LAST_KNOWN_GOOD_US):
        if now_us - published_us <= age_us:
            return published_us + age_us + 1
    return None


def standing_of(
    version: Version | None,
    published_us: int | None,
    now_us: int,
    *,
    killed: bool,
    refused: bool,
) -> Standing:
    """Where a copy of this age stands at wall-clock time ``now_us``."""
    if version is None or published_us is None:
        why = "kill_file" if killed else "refused" if refused else "no_snapshot"
        return Standing(state=State.OPEN, why=why)
    age_us = now_us - published_us
    if killed:
        state, why = State.OPEN, "kill_file"
    elif age_us > LAST_KNOWN_GOOD_US:
        state, why = State.OPEN, "too_old"
    else:
        state = State.FRESH if age_us <= FRESH_US else State.LAST_KNOWN_GOOD
        why = "refused" if refused else ""
    return Standing(state=state, why=why, version=version, published_us=published_us)
