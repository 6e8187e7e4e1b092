"""What the snapshot says about one tenant, and the words that its record points at."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from flyball.decision import Decision
from flyball.effective import EffectiveLimit
from flyball.errors import InvalidInput
from flyball.instant import DAY_US
from flyball.limit import WINDOW_SECONDS, LimitKind, MeterLimit
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
Word = TypeVar("Word", bound=Hashable)


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

    def codes(self, words: Sequence[Word]) -> list[int]:
        """Indices of ``words``, each added if new: :meth:`code` for many that are mostly known."""
        found = [*map(self._codes.get, words)]
        return [*map(self.code, words)] if None in found else cast("list[int]", found)


_SharedKey = tuple[int, int | None, tuple[int, ...], tuple[str, ...], str, str]


class Vocabulary:
    """What records point into, from one base to the next."""

    __slots__ = (
        "_held_plans", "_paces", "_shared_codes", "foreign_ids", "limits", "origins", "plans",
        "reasons", "shared", "terms", "times",
    )  # fmt: skip

    def __init__(self) -> None:
        self.plans: WordList[PlanWord] = WordList()
        self.terms: WordList[TermsWord] = WordList()
        # By identity, with the tuple itself so that the identity stays its own: hashing a plan's
        # limits for each of a million tenants would take as long as deciding.
        self._held_plans: dict[int, tuple[tuple[MeterLimit, ...], int]] = {}
        self._paces: dict[int | None, int] = {}
        #: Terms, reasons and origin of the combinations that :meth:`shared_of` has met.
        self.shared: list[tuple[int, int, int]] = []
        self._shared_codes: dict[_SharedKey, tuple[int, tuple[MeterLimit, ...]]] = {}
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

    def shared_of(self, entries: Sequence[Entry]) -> list[int]:
        """Where in :attr:`shared` the words lie that each entry has in common with many.

        Few combinations are in use, so most entries cost one look instead of three.
        """
        keys: list[_SharedKey] = [
            (
                id(entry.limits),
                entry.window_seconds if entry.base_limit is not None else -1,
                entry.floors,
                entry.reasons,
                entry.model_version,
                entry.policy,
            )
            for entry in entries
        ]
        found = [*map(self._shared_codes.get, keys)]
        if None in found:
            found = [*map(self._share, keys, entries)]
        return [held[0] for held in found if held is not None]

    def _share(self, key: _SharedKey, entry: Entry) -> tuple[int, tuple[MeterLimit, ...]]:
        held = self._shared_codes.get(key)
        if held is None:
            if len(self._shared_codes) >= _MAX_HELD_PLANS:
                # Entries of the batch under way keep what they were told.
                self._shared_codes.clear()
            # The tuple is kept, so that its identity stays its own.
            held = self._shared_codes[key] = len(self.shared), entry.limits
            self.shared.append(
                (
                    self._terms_of(entry),
                    self.reasons.code(entry.reasons),
                    self.origins.code((entry.model_version, entry.policy)),
                )
            )
        return held

    def _terms_of(self, entry: Entry) -> int:
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
