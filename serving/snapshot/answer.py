"""The JSON that a gateway gets: one record, seen through the ladder of freshness."""

from __future__ import annotations

import json

import msgspec

from flyball.arm import NEUTRAL
from flyball.decision import Source
from flyball.effective import EffectiveLimit
from flyball.instant import DAY_US, MINUTE_US, format_instant
from flyball.reason import Reason
from serving.snapshot.layout import (
    FOREIGN_ID,
    LARGE_LIMIT,
    NO_PROBABILITY,
    RECORD,
    STEPS,
)
from serving.snapshot.limit_word import limit_json, limits_under
from serving.snapshot.table import Table

#: Older than this, workers no longer tighten.
FRESH_US = 15 * MINUTE_US
#: Older than this, they serve the plan's own limits.
LAST_KNOWN_GOOD_US = DAY_US

_MAX_CACHED_TIMES = 4_096
_MAX_CACHED_LIMITS = 4_096
_MULTIPLIERS = [repr(arm / 100) for arm in range(1_001)]


def rung_of(age_us: int) -> Source:
    """Which rung of the ladder a snapshot of this age stands on (a clock set back counts as 0)."""
    if age_us <= FRESH_US:
        return Source.FRESH
    return Source.LAST_KNOWN_GOOD if age_us <= LAST_KNOWN_GOOD_US else Source.PLAN_DEFAULT


# A struct, because a frozen dataclass takes several times as long to make.
class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is served for one tenant: the decision's JSON as values.

    ``limits`` are all of the plan's, the primary meter's first; None without a plan.
    """

    tenant_id: str
    base_limit: int | None
    arm: int
    upgrade_probability: float | None
    churn_probability: float | None
    effective_limit: int | None
    window_seconds: int | None
    limits: tuple[EffectiveLimit, ...] | None
    reasons: tuple[str, ...]
    decision_id: str | None
    model_version: str
    policy: str
    source: Source
    decided_us: int | None
    expires_us: int | None

    @property
    def enforce_friction(self) -> bool:
        """True exactly when the effective limit is below the base limit."""
        return (
            self.effective_limit is not None
            and self.base_limit is not None
            and self.effective_limit < self.base_limit
        )


def unknown_answer(name: str) -> Answer:
    """For a name that is neither a tenant nor an alias: nothing changes, no row is created."""
    return Answer(
        tenant_id=name,
        base_limit=None,
        arm=NEUTRAL,
        upgrade_probability=None,
        churn_probability=None,
        effective_limit=None,
        window_seconds=None,
        limits=None,
        reasons=(Reason.UNKNOWN_TENANT.value,),
        decision_id=None,
        model_version="",
        policy="",
        source=Source.UNKNOWN_TENANT,
        decided_us=None,
        expires_us=None,
    )


def answer_json(answer: Answer) -> bytes:
    """The JSON of an answer, field by field as the hot path writes it."""
    return json.dumps(
        {
            "tenantId": answer.tenant_id,
            "baseLimit": answer.base_limit,
            "dynamicMultiplier": answer.arm / 100,
            "enforceFriction": answer.enforce_friction,
            "upsellProbability": answer.upgrade_probability,
            "churnProbability": answer.churn_probability,
            "effectiveLimit": answer.effective_limit,
            "windowSeconds": answer.window_seconds,
            "limits": None if answer.limits is None else [*map(limit_json, answer.limits)],
            "reasons": list(answer.reasons),
            "decisionId": answer.decision_id,
            "modelVersion": answer.model_version or None,
            "policy": answer.policy or None,
            "source": answer.source.value,
            "decidedAt": _instant(answer.decided_us),
            "expiresAt": _instant(answer.expires_us),
        },
        separators=(",", ":"),
    ).encode()


def _instant(micros: int | None) -> str | None:
    return None if micros is None else format_instant(micros)


#: Terms word, primary base limit (or which large one) and served arm: tenants with the same have
#: the same limits.
LimitsFrom = tuple[int, int, int]


class View:
    """A table's version seen from one rung, with everything that answers share written out once.

    The kill switch is part of the view: with it every arm is 1. An arm other than the decided one
    carries no probabilities, because those are of the decided arm, and says why it is served.
    """

    def __init__(self, table: Table, rung: Source, *, killed: bool) -> None:
        self.table = table
        self.rung = rung
        self._source = rung.value
        self.killed = killed
        self._lowest = 1 if rung is Source.FRESH else NEUTRAL
        self._highest = NEUTRAL if killed or rung is Source.PLAN_DEFAULT else 1_000
        if killed:
            self._lowest = NEUTRAL
        grace = FRESH_US if rung is Source.FRESH else LAST_KNOWN_GOOD_US
        self._expires_us = table.as_of_us + grace
        self._why = Reason.KILL_SWITCH.value if killed else rung.value
        self._bind_words()
        self._times: dict[int, str] = {}
        self._limits: dict[tuple[int, int, int], tuple[EffectiveLimit, ...]] = {}
        self._texts = table.limit_texts
        self._shapes = self._texts.shapes
        self._tails = self._texts.tails

    def _bind_words(self) -> None:
        text = json.dumps
        self._reasons = [text(reasons, separators=(",", ":")) for reasons in self.table.reasons]
        self._origins = [
            f'"modelVersion":{text(version or None)},"policy":{text(policy or None)}'
            for version, policy in self.table.origins
        ]
        self._instead = text([self._why])

    def json(self, slot: int, tenant: str) -> bytes:
        """The answer for a slot whose tenant id is ``tenant``, as JSON bytes."""
        try:
            return self._write(slot, tenant)
        except IndexError:
            # Another thread applied a delta with new words since this view was made.
            self._bind_words()
        try:
            return self._write(slot, tenant)
        except IndexError:
            # Signed, but pointing at words that no frame brought: off the ladder is no option.
            return answer_json(unknown_answer(tenant))

    def _write(self, slot: int, tenant: str) -> bytes:
        decision, base, _, times, terms, upgrade, churn, arm, reasons, origin, _, flags = (
            RECORD.unpack(self.table.record(slot))
        )
        name = f"d_{decision:016x}"
        if flags:
            if flags & FOREIGN_ID:
                name = self.table.foreign_ids[decision]
            if flags & LARGE_LIMIT:
                base = self.table.limits[base]
        served = min(max(arm, self._lowest), self._highest)
        if served == arm:
            up = "null" if upgrade == NO_PROBABILITY else repr(upgrade / STEPS)
            down = "null" if churn == NO_PROBABILITY else repr(churn / STEPS)
            why = self._reasons[reasons]
        else:
            up = down = "null"
            why = self._instead
        floor, window, limits = self._shapes.get(terms) or self._texts.shape(terms)
        if base:
            limit = -(-base * (served if served > floor else floor) // 100)
            tail = self._tails.get(terms << 10 | served) or self._texts.tail(terms, served)
            numbers = (
                f'"effectiveLimit":{limit},"windowSeconds":{window},'
                f'{limits}{base},"effectiveLimit":{limit}{tail}'
            )
            friction = "true" if limit < base else "false"
        else:
            numbers = f'"effectiveLimit":null,"windowSeconds":null,{limits}'
            friction = "false"
        return (
            f'{{"tenantId":"{tenant}","baseLimit":{base or "null"},'
            f'"dynamicMultiplier":{_MULTIPLIERS[served]},"enforceFriction":{friction},'
            f'"upsellProbability":{up},"churnProbability":{down},{numbers},'
            f'"reasons":{why},"decisionId":"{name}",{self._origins[origin]},'
            f'"source":"{self._source}",{self._times.get(times) or self._times_of(times)}}}'
        ).encode()

    def limits_from(self, slot: int) -> LimitsFrom:
        """What the limits of a slot's tenant follow from."""
        _, base, _, _, terms, _, _, arm, _, _, _, flags = RECORD.unpack(self.table.record(slot))
        if flags & LARGE_LIMIT:
            # An index tells apart as well as what it points at, and needs no looking.
            base = -1 - base
        return terms, base, min(max(arm, self._lowest), self._highest)

    def answer(self, slot: int) -> Answer:
        """The same answer as values."""
        decision, base, _, times, terms, upgrade, churn, arm, reasons, origin, _, flags = (
            RECORD.unpack(self.table.record(slot))
        )
        if flags & LARGE_LIMIT:
            base = self.table.limits[base]
        served = min(max(arm, self._lowest), self._highest)
        kept = served == arm
        version, policy = self.table.origins[origin]
        decided_us, period_end_us = self.table.times[times]
        plan, floors = self.table.plan_of(terms)
        key = terms, base, served
        limits = self._limits.get(key)
        if limits is None:
            if len(self._limits) >= _MAX_CACHED_LIMITS:
                self._limits.clear()
            limits = self._limits[key] = limits_under(plan, floors, base, served)
        first = limits[0] if limits else None
        return Answer(
            tenant_id=self.table.name(slot).decode("ascii"),
            base_limit=base or None,
            arm=served,
            upgrade_probability=upgrade / STEPS if kept and upgrade != NO_PROBABILITY else None,
            churn_probability=churn / STEPS if kept and churn != NO_PROBABILITY else None,
            effective_limit=None if first is None else first.effective_limit,
            window_seconds=None if first is None else first.window_seconds,
            limits=limits or None,
            reasons=self.table.reasons[reasons] if kept else (self._why,),
            decision_id=(
                self.table.foreign_ids[decision] if flags & FOREIGN_ID else f"d_{decision:016x}"
            ),
            model_version=version,
            policy=policy,
            source=self.rung,
            decided_us=decided_us,
            expires_us=self._expiry(period_end_us),
        )

    def _times_of(self, times: int) -> str:
        if len(self._times) >= _MAX_CACHED_TIMES:
            self._times.clear()
        decided_us, period_end_us = self.table.times[times]
        expires_us = self._expiry(period_end_us)
        expires = "null" if expires_us is None else f'"{format_instant(expires_us)}"'
        text = f'"decidedAt":"{format_instant(decided_us)}","expiresAt":{expires}'
        self._times[times] = text
        return text

    def _expiry(self, period_end_us: int) -> int | None:
        # After this the same ladder would answer differently: the period or the rung is over.
        if self.rung is Source.PLAN_DEFAULT:
            return None
        if period_end_us <= self.table.as_of_us:
            return self._expires_us
        return min(period_end_us, self._expires_us)
