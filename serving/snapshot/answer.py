"""The JSON that a gateway gets: one record, seen through the ladder of freshness."""

from __future__ import annotations

import json

import msgspec

from flyball.arm import NEUTRAL
from flyball.decision import Source
from flyball.effective import EffectiveLimit
from flyball.instant import DAY_US, MINUTE_US, format_instant
from flyball.reason import Reason
from serving.snapshot.form import SHARES, Forms, share_json
from serving.snapshot.layout import (
    FOREIGN_ID,
    LARGE_LIMIT,
    NO_PROBABILITY,
    RECORD,
    STEPS,
    Parts,
)
from serving.snapshot.limit_word import limit_json, limits_under
from serving.snapshot.table import Table

#: Older than this, workers no longer tighten.
FRESH_US = 15 * MINUTE_US
#: Older than this, they serve the plan's own limits.
LAST_KNOWN_GOOD_US = DAY_US

_MAX_CACHED_TIMES = 4_096
_MAX_CACHED_LIMITS = 4_096
_OPEN, _CHURN, _NULL = b'{"tenantId":"', b',"churnProbability":', b"null"
#: Which bits of PARTS' last field tenants share: all but the length of the id.
_SHARED = 0xFF00_FFFF_FFFF_FFFF


def rung_of(age_us: int) -> Source:
    """Which rung of the ladder a snapshot of this age stands on (a clock set back counts as 0)."""
    if age_us <= FRESH_US:
        return Source.FRESH
    return Source.LAST_KNOWN_GOOD if age_us <= LAST_KNOWN_GOOD_US else Source.PLAN_DEFAULT


def rung_ends_us(created_us: int, now_us: int) -> int:
    """When a snapshot made at ``created_us`` leaves the rung that it stands on at ``now_us``.

    On the last one it stays; then this is a time far away.
    """
    for grace in (FRESH_US, LAST_KNOWN_GOOD_US):
        if now_us - created_us <= grace:
            return created_us + grace + 1
    return now_us + DAY_US


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
    """A table's version seen from one rung (see :class:`Forms`)."""

    def __init__(self, table: Table, rung: Source, *, killed: bool) -> None:
        self.table = table
        self.version = table.version
        self.rung = rung
        self.killed = killed
        forms = table.forms
        if forms is None or forms.rung is not rung or forms.killed is not killed:
            forms = table.forms = Forms(table, rung, killed=killed)
        self._forms = forms
        self._held = forms.held
        grace = FRESH_US if rung is Source.FRESH else LAST_KNOWN_GOOD_US
        self._expires_us = table.as_of_us + grace
        self._moments: dict[int, bytes] = {}
        self._limits: dict[LimitsFrom, tuple[EffectiveLimit, ...]] = {}

    def json(self, own: bytes, parts: Parts) -> bytes:
        """The answer for a tenant's own id and record, as JSON bytes."""
        decision, base, _, times, terms, upgrade, churn, shared = parts
        key = base, terms, shared & _SHARED
        try:
            head, middle, end, told, foreign = self._held.get(key) or self._forms.write(key)
            moments = self._moments.get(times) or self._moments_of(times)
            number = self.table.foreign_ids[decision].encode() if foreign else b"%016x" % decision
        except IndexError:
            # Signed, but pointing at words that no frame brought: off the ladder is no option.
            return answer_json(unknown_answer(own.decode("ascii")))
        if told:
            up = _NULL if upgrade == NO_PROBABILITY else SHARES[upgrade] or share_json(upgrade)
            down = _NULL if churn == NO_PROBABILITY else SHARES[churn] or share_json(churn)
        else:
            up = down = _NULL
        return b"".join((_OPEN, own, head, up, _CHURN, down, middle, number, end, moments))

    def limits_from(self, slot: int) -> LimitsFrom:
        """What the limits of a slot's tenant follow from."""
        _, base, _, _, terms, _, _, arm, _, _, _, flags = RECORD.unpack(self.table.record(slot))
        if flags & LARGE_LIMIT:
            # An index tells apart as well as what it points at, and needs no looking.
            base = -1 - base
        return terms, base, self._forms.served(arm)

    def answer(self, slot: int) -> Answer:
        """The same answer as values."""
        decision, base, _, times, terms, upgrade, churn, arm, reasons, origin, _, flags = (
            RECORD.unpack(self.table.record(slot))
        )
        if flags & LARGE_LIMIT:
            base = self.table.limits[base]
        served = self._forms.served(arm)
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
            reasons=self.table.reasons[reasons] if kept else (self._forms.why,),
            decision_id=(
                self.table.foreign_ids[decision] if flags & FOREIGN_ID else f"d_{decision:016x}"
            ),
            model_version=version,
            policy=policy,
            source=self.rung,
            decided_us=decided_us,
            expires_us=self._expiry(period_end_us),
        )

    def _moments_of(self, times: int) -> bytes:
        if len(self._moments) >= _MAX_CACHED_TIMES:
            self._moments.clear()
        decided_us, period_end_us = self.table.times[times]
        expires_us = self._expiry(period_end_us)
        expires = "null" if expires_us is None else f'"{format_instant(expires_us)}"'
        text = f'"decidedAt":"{format_instant(decided_us)}","expiresAt":{expires}}}'.encode()
        self._moments[times] = text
        return text

    def _expiry(self, period_end_us: int) -> int | None:
        # After this the same ladder would answer differently: the period or the rung is over.
        if self.rung is Source.PLAN_DEFAULT:
            return None
        if period_end_us <= self.table.as_of_us:
            return self._expires_us
        return min(period_end_us, self._expires_us)
