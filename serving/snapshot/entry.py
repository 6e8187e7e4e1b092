"""What the snapshot says about one tenant, and how it becomes a record."""

from __future__ import annotations

import re
from collections.abc import Sized
from dataclasses import dataclass, field

from flyball.arm import effective_limit
from flyball.decision import Decision
from flyball.errors import InvalidInput
from flyball.instant import DAY_US, SECOND_US
from serving.snapshot.layout import ABSENT, FOREIGN_ID, MILLION, RECORD, WINDOWS

_WINDOW_CODE = {seconds: code for code, seconds in enumerate(WINDOWS)}
_MAX_VOCABULARY = 65_535
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


@dataclass(slots=True)
class Vocabulary:
    """Lists that records point into; they only grow within an epoch."""

    reasons: list[tuple[str, ...]] = field(default_factory=list)
    origins: list[tuple[str, str]] = field(default_factory=list)
    foreign_ids: list[str] = field(default_factory=list)
    _foreign_code: dict[str, int] = field(default_factory=dict)
    _reason_code: dict[tuple[str, ...], int] = field(default_factory=dict)
    _origin_code: dict[tuple[str, str], int] = field(default_factory=dict)

    def reason_code(self, reasons: tuple[str, ...]) -> int:
        """Index of a reason list, added if new."""
        code = self._reason_code.get(reasons)
        if code is None:
            code = self._reason_code[reasons] = _room(self.reasons)
            self.reasons.append(reasons)
        return code

    def decision_code(self, decision_id: str) -> tuple[int, bool]:
        """A decision's id as a number, and whether that is an index because it is not one of ours.

        Ours are ``d_`` and 16 hex digits; imported decisions may be named otherwise.
        """
        if _OWN_ID.fullmatch(decision_id):
            return int(decision_id[2:], 16), False
        code = self._foreign_code.get(decision_id)
        if code is None:
            code = self._foreign_code[decision_id] = len(self.foreign_ids)
            self.foreign_ids.append(decision_id)
        return code, True

    def origin_code(self, model_version: str, policy: str) -> int:
        """Index of a model version and policy, added if new."""
        origin = (model_version, policy)
        code = self._origin_code.get(origin)
        if code is None:
            code = self._origin_code[origin] = _room(self.origins)
            self.origins.append(origin)
        return code


def _room(entries: Sized) -> int:
    if len(entries) >= _MAX_VOCABULARY:
        raise InvalidInput(
            "More than 65,535 distinct reason lists or model versions are in one snapshot.",
            "Reason codes must come from the fixed list, without tenant-specific text.",
            field="reasons",
        )
    return len(entries)


def _millionths(probability: float | None) -> int:
    if probability is None:
        return ABSENT
    if not 0.0 <= probability <= 1.0:
        raise InvalidInput(f"probability {probability} lies outside 0..1.", field="probability")
    return round(probability * MILLION)


def pack_entry(entry: Entry, vocabulary: Vocabulary, name_offset: int, name_length: int) -> bytes:
    """The record of ``entry``; its id lies at ``name_offset`` of the heap.

    Raises
    ------
    InvalidInput
        A value that does not fit a record.
    """
    decision, foreign = vocabulary.decision_code(entry.decision_id)
    window = _WINDOW_CODE.get(entry.window_seconds)
    if window is None:
        raise InvalidInput(
            f"a limit window of {entry.window_seconds} seconds is not one of {WINDOWS}.",
            field="window_seconds",
        )
    decided_s, fraction = divmod(entry.decided_us, SECOND_US)
    return RECORD.pack(
        decision,
        entry.base_limit or 0,
        -(-entry.period_end_us // SECOND_US),
        decided_s,
        fraction,
        _millionths(entry.upgrade_probability),
        _millionths(entry.churn_probability),
        name_offset,
        entry.served_arm,
        vocabulary.reason_code(entry.reasons),
        vocabulary.origin_code(entry.model_version, entry.policy),
        name_length,
        window | (FOREIGN_ID if foreign else 0),
    )
