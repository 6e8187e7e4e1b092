"""What the snapshot says about one tenant, and how it becomes a record."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flyball.decision import Decision
from flyball.effective import EffectiveLimit
from flyball.errors import InvalidInput
from flyball.instant import DAY_US
from flyball.limit import WINDOW_SECONDS, LimitKind, MeterLimit
from serving.snapshot.layout import (
    FOREIGN_ID,
    LARGE_LIMIT,
    NO_PROBABILITY,
    RECORD,
    STEPS,
)
from serving.snapshot.limit_word import (
    NO_TERMS,
    LimitWord,
    PlanWord,
    TermsWord,
    limits_under,
    plan_word,
)

_WINDOWS = (None, *WINDOW_SECONDS.values())
_MAX_HELD_PLANS = 4_096
_LARGEST_DIRECT = 0xFFFF_FFFF
Word = TypeVar("Word", bound=Hashable)
_OWN_ID = re.compile(r"d_[0-9a-f]{16}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One tenant's current decision, as far as a gateway or a page needs it.

    ``base_limit`` and ``window_seconds`` are the primary meter's, None without a plan.
    Probabilities (0..1) are over 28 days under ``served_arm``, None without a model.

    ``limits`` are the plan's, the primary meter's first, whose base ``base_limit`` replaces. Empty:
    all that is known is ``base_limit`` requests in ``window_seconds``. ``floors`` is the lowest
    multiplier of each limit (:func:`flyball.effective.storage_floors`), or empty.
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
    limits: tuple[MeterLimit, ...] = ()
    floors: tuple[int, ...] = ()

    @property
    def effective_limits(self) -> tuple[EffectiveLimit, ...] | None:
        """Every limit under the served arm, the primary meter's first; None without a plan."""
        if self.base_limit is None:
            return None
        plan = plan_word(self.limits) or _pace(self.window_seconds)
        return limits_under(plan, self.floors, self.base_limit, self.served_arm)


def entry_of(
    decision: Decision, limits: tuple[MeterLimit, ...] = (), floors: tuple[int, ...] = ()
) -> Entry:
    """The part of a decision that the snapshot carries, with the limits of the tenant's plan.

    Pass the same tuple for every tenant of a plan: it is written once.
    """
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
        limits=limits,
        floors=floors,
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
    """What records point into, from one base to the next."""

    __slots__ = (
        "_held_plans", "_paces", "foreign_ids", "limits", "origins", "plans", "reasons", "terms",
        "times",
    )  # fmt: skip

    def __init__(self) -> None:
        self.plans: WordList[PlanWord] = WordList()
        self.terms: WordList[TermsWord] = WordList()
        # By identity, with the tuple itself so that the identity stays its own: hashing a plan's
        # limits for each of a million tenants would take as long as deciding.
        self._held_plans: dict[int, tuple[tuple[MeterLimit, ...], int]] = {}
        self._paces: dict[int | None, int] = {}
        self.reasons: WordList[tuple[str, ...]] = WordList(1 << 16)
        self.origins: WordList[tuple[str, str]] = WordList(1 << 16)
        self.times: WordList[tuple[int, int]] = WordList()
        self.limits: WordList[int] = WordList()
        self.foreign_ids: WordList[str] = WordList()

    def sizes(self) -> tuple[int, ...]:
        """How many words of each kind there are."""
        return tuple(len(words) for words in self._kinds().values())

    def since(self, sizes: tuple[int, ...]) -> dict[str, list[Any]]:
        """Words by kind that came after there were so many."""
        return {
            kind: list(words[size:])
            for (kind, words), size in zip(self._kinds().items(), sizes, strict=True)
        }

    def everything(self) -> dict[str, list[Any]]:
        """All words by kind."""
        return self._kinds()

    def terms_of(self, entry: Entry) -> int:
        """Index of the terms word of ``entry``."""
        if entry.base_limit is None:
            return self.terms.code(NO_TERMS)
        plan = self._plan_code(entry)
        if entry.floors and len(entry.floors) != len(entry.limits):
            raise InvalidInput(
                f"{entry.tenant_id}: {len(entry.floors)} floors for {len(entry.limits)} limits.",
                field="floors",
            )
        return self.terms.code((plan, entry.floors))

    def _plan_code(self, entry: Entry) -> int:
        if not entry.limits:
            pace = self._paces.get(entry.window_seconds)
            if pace is None:
                pace = self.plans.code(_pace(entry.window_seconds))
                self._paces[entry.window_seconds] = pace
            return pace
        held = self._held_plans.get(id(entry.limits))
        if held is None:
            held = (entry.limits, self.plans.code(plan_word(entry.limits)))
            if len(self._held_plans) >= _MAX_HELD_PLANS:
                self._held_plans.clear()
            self._held_plans[id(entry.limits)] = held
        return held[1]

    def _kinds(self) -> dict[str, list[Any]]:
        return {
            "reasons": self.reasons.words,
            "origins": self.origins.words,
            "times": self.times.words,
            "limits": self.limits.words,
            "foreign_ids": self.foreign_ids.words,
            "plans": self.plans.words,
            "terms": self.terms.words,
        }


def _pace(window_seconds: int | None) -> PlanWord:
    if window_seconds not in _WINDOWS:
        raise InvalidInput(
            f"a limit window of {window_seconds} seconds is not one of {_WINDOWS}.",
            field="window_seconds",
        )
    word = LimitWord("api.requests", LimitKind.RATE, base=0, window_seconds=window_seconds)
    return (word,)


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
    flags = 0
    if _OWN_ID.fullmatch(entry.decision_id):
        decision = int(entry.decision_id[2:], 16)
    else:
        # Imported decisions may be named otherwise.
        decision = vocabulary.foreign_ids.code(entry.decision_id)
        flags |= FOREIGN_ID
    base = entry.base_limit or 0
    if base > _LARGEST_DIRECT:
        base = vocabulary.limits.code(base)
        flags |= LARGE_LIMIT
    return RECORD.pack(
        decision,
        base,
        name_offset,
        vocabulary.times.code((entry.decided_us, entry.period_end_us)),
        vocabulary.terms_of(entry),
        _steps(entry.upgrade_probability),
        _steps(entry.churn_probability),
        entry.served_arm,
        vocabulary.reasons.code(entry.reasons),
        vocabulary.origins.code((entry.model_version, entry.policy)),
        name_length,
        flags,
    )
