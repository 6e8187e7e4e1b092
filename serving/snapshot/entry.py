"""What the snapshot says about one tenant, and how it becomes a record."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flyball.arm import effective_limit
from flyball.decision import Decision
from flyball.errors import InvalidInput
from flyball.instant import DAY_US
from serving.snapshot.layout import (
    FOREIGN_ID,
    LARGE_LIMIT,
    NO_PROBABILITY,
    RECORD,
    STEPS,
    WINDOWS,
)

_WINDOW_CODE = {seconds: code for code, seconds in enumerate(WINDOWS)}
_LARGEST_DIRECT = 0xFFFF_FFFF
Word = TypeVar("Word", bound=Hashable)
_OWN_ID = re.compile(r"d_[0-9a-f]{16}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One tenant's current decision, as far as a gateway or a page needs it.

    ``base_limit`` and ``window_seconds`` are None without a plan. Probabilities (0..1) are over 28
    days under ``served_arm``, None without a model.
    """

    tenant_id: str
    decision_id: str
    served_arm: int
    base_limit: int | None
    window_seconds: int | None
    upgrade_probability: float | None
    churn_probability: float | None
    reasons: tuple[str, ...]
    model_version: str
    policy: str
    decided_us: int
    period_end_us: int

    @property
    def effective_limit(self) -> int | None:
        """Base limit times arm, rounded up; None without a plan."""
        return (
            None if self.base_limit is None else effective_limit(self.base_limit, self.served_arm)
        )


def entry_of(decision: Decision) -> Entry:
    """The part of a decision that the snapshot carries."""
    return Entry(
        tenant_id=decision.tenant_id,
        decision_id=decision.decision_id,
        served_arm=decision.served_arm,
        base_limit=decision.base_limit,
        window_seconds=decision.window_seconds,
        upgrade_probability=decision.upgrade_probability,
        churn_probability=decision.churn_probability,
        reasons=decision.reasons,
        model_version=decision.model_version,
        policy=decision.policy,
        decided_us=decision.decided_us,
        period_end_us=decision.period_start_us + decision.period_days * DAY_US,
    )


class WordList(Generic[Word]):
    """Distinct values in order of first use; it only grows, so that indices stay right."""

    __slots__ = ("_codes", "_most", "words")

    def __init__(self, most: int = 1 << 32) -> None:
        self.words: list[Word] = []
        self._codes: dict[Word, int] = {}
        self._most = most

    def code(self, word: Word) -> int:
        """Index of ``word``, added if new."""
        code = self._codes.get(word)
        if code is None:
            if len(self.words) >= self._most:
                raise InvalidInput(
                    f"More than {self._most:,} distinct reason lists or models in one snapshot.",
                    "Reason codes must come from the fixed list, without tenant-specific text.",
                    field="reasons",
                )
            code = self._codes[word] = len(self.words)
            self.words.append(word)
        return code


class Vocabulary:
    """What records point into, within one epoch."""

    __slots__ = ("foreign_ids", "limits", "origins", "reasons", "times")

    def __init__(self) -> None:
        self.reasons: WordList[tuple[str, ...]] = WordList(1 << 16)
        self.origins: WordList[tuple[str, str]] = WordList(1 << 16)
        self.times: WordList[tuple[int, int]] = WordList()
        self.limits: WordList[int] = WordList()
        self.foreign_ids: WordList[str] = WordList()

    def sizes(self) -> tuple[int, ...]:
        """How many words of each kind there are."""
        return tuple(len(words) for words in self.since((0,) * 5).values())

    def since(self, sizes: tuple[int, ...]) -> dict[str, list[Any]]:
        """Words by kind that came after there were so many."""
        kinds: dict[str, list[Any]] = {
            "reasons": self.reasons.words,
            "origins": self.origins.words,
            "times": self.times.words,
            "limits": self.limits.words,
            "foreign_ids": self.foreign_ids.words,
        }
        return {
            kind: list(words[size:])
            for (kind, words), size in zip(kinds.items(), sizes, strict=True)
        }


def _steps(probability: float | None) -> int:
    if probability is None:
        return NO_PROBABILITY
    if not 0.0 <= probability <= 1.0:
        raise InvalidInput(f"probability {probability} lies outside 0..1.", field="probability")
    return round(probability * STEPS)


def pack_entry(entry: Entry, vocabulary: Vocabulary, name_offset: int, name_length: int) -> bytes:
    """The record of ``entry``; its id lies at ``name_offset`` of the heap.

    Raises
    ------
    InvalidInput
        A value that does not fit a record.
    """
    window = _WINDOW_CODE.get(entry.window_seconds)
    if window is None:
        raise InvalidInput(
            f"a limit window of {entry.window_seconds} seconds is not one of {WINDOWS}.",
            field="window_seconds",
        )
    if _OWN_ID.fullmatch(entry.decision_id):
        decision = int(entry.decision_id[2:], 16)
    else:
        # Imported decisions may be named otherwise.
        decision = vocabulary.foreign_ids.code(entry.decision_id)
        window |= FOREIGN_ID
    base = entry.base_limit or 0
    if base > _LARGEST_DIRECT:
        base = vocabulary.limits.code(base)
        window |= LARGE_LIMIT
    return RECORD.pack(
        decision,
        base,
        name_offset,
        vocabulary.times.code((entry.decided_us, entry.period_end_us)),
        _steps(entry.upgrade_probability),
        _steps(entry.churn_probability),
        entry.served_arm,
        vocabulary.reasons.code(entry.reasons),
        vocabulary.origins.code((entry.model_version, entry.policy)),
        name_length,
        window,
    )
