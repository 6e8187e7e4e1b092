"""What happened to an account, in words, and as marks over the weeks of its multiplier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.design.display import multiplier
from console.design.words import short_reason
from flyball.decision import Decision
from ledger.happening import Happening

#: Kinds of lines, as the page's filter names them.
KINDS = {
    "decision": "Decision",
    "change": "Change within a period",
    "outcome": "Outcome",
    "intervention": "Contact",
    "ticket": "Ticket",
    "override": "Override",
    "override_end": "Override ended",
    "note": "Note",
    "task": "Task",
    "feedback": "Feedback",
    "model": "Model",
}

_OVERRIDES = {
    "force_neutral": "Set to ×1.00",
    "exempt": "Exempt from friction",
    "freeze": "Multiplier frozen",
    "choose": "Multiplier chosen",
}
_OUTCOMES = {
    "started": "Started",
    "upgraded": "Upgraded",
    "downgraded": "Downgraded",
    "renewed": "Renewed",
    "churned": "Left",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: when, of which kind, what in a few words, and what somebody wrote."""

    at_us: int
    kind: str
    what: str
    text: str
    author: str


def entries(happenings: Sequence[Happening]) -> list[Entry]:
    """The lines as people read them, in the order given."""
    return [
        Entry(item.at_us, KINDS.get(item.kind, item.kind), *_told(item), item.author)
        for item in happenings
    ]


def _told(item: Happening) -> tuple[str, str]:
    """What happened in a few words, and what somebody wrote about it."""
    arm = "" if item.arm is None else multiplier(item.arm)
    match item.kind:
        case "decision":
            told = _moved(arm, item.what), ""
        case "change":
            told = _moved(arm, item.text or item.what), ""
        case "override":
            told = _OVERRIDES.get(item.what, item.what) + (f" ({arm})" if arm else ""), item.text
        case "outcome":
            moved = item.text and item.what in ("upgraded", "downgraded")
            told = _OUTCOMES.get(item.what, item.what) + (f" to {item.text}" if moved else ""), ""
        case "model":
            told = f"Decided with model {item.what}", ""
        case "ticket":
            told = f"{item.what.capitalize()} ticket {item.text}", ""
        case "task":
            told = item.text, item.what
        case _:
            told = item.what.replace("_", " ").capitalize(), item.text
    return told


def _moved(arm: str, reason: str) -> str:
    """A multiplier and its reason, which imported history does not state."""
    return f"{arm}: {short_reason(reason)}" if reason else f"{arm}, from imported history"


@dataclass(frozen=True, slots=True)
class Week:
    """One decision of the past: its period's start, multiplier, chances and first reason."""

    start_us: int
    arm: int
    churn: float | None
    upgrade: float | None
    reason: str


def weeks(history: Sequence[Decision]) -> list[Week]:
    """The decisions, oldest first."""
    return [
        Week(
            item.period_start_us, item.served_arm, item.churn_probability,
            item.upgrade_probability, short_reason(item.reasons[0]) if item.reasons else "",
        )
        for item in sorted(history, key=lambda item: item.period_start_us)
    ]  # fmt: skip
