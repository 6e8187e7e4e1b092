"""The counters of one place that enforces: every tenant's, each its own, none ever reset.

A counter belongs to (tenant, meter) or (tenant, meter, endpoint), never to a limit: when the limit
changes the counter stays. A request touches several; either all of them count it or none does.

Not for use from several threads at once: an event loop owns it, or a lock does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flyball.endpoint import endpoint_for
from flyball.enforcement.allowance import Allowance, is_soft, soft_delay_us
from flyball.enforcement.bucket import Bucket
from flyball.enforcement.terms import LimitTerms, Terms
from flyball.enforcement.verdict import LimitState, Verdict
from flyball.instant import SECOND_US
from flyball.limit import LimitKind

#: The meter that every request counts one unit of.
REQUEST_METER = "api.requests"

#: Tenant, meter, and the endpoint's pattern where it has a limit of its own (else empty).
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request as counters see it.

    ``units`` says what it uses of other meters than requests (a meter named with 0 takes part: it
    is refused when the allowance is used up). For a storage meter it is what would be added, and
    ``stored`` is what is there now.
    """

    method: str = "GET"
    path: str = "/"
    units: Mapping[str, int] = field(default_factory=dict)
    stored: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Charge:
    """Units that a request counts towards one counter, and the limit that it is held to."""

    key: Key
    terms: LimitTerms
    units: int

    @property
    def policy(self) -> str:
        """What the limit is called towards the tenant."""
        return f"{self.key[1]} {self.key[2]}".rstrip()


def charges_of(terms: Terms, ask: Ask) -> Iterator[Charge]:
    """What a request counts towards, limit by limit (concurrency apart: see :mod:`.slots`)."""
    for limit in terms.limits:
        if limit.kind is LimitKind.CONCURRENCY:
            continue
        endpoint = endpoint_for(limit.endpoints, ask.method, ask.path)
        units = ask.units.get(limit.meter)
        if units is None and limit.kind is not LimitKind.STORAGE:
            if endpoint is not None:
                units = endpoint.weight
            elif limit.meter == REQUEST_METER:
                units = 1
        if units is None:
            continue
        # What weighs nothing passes even where a tightened limit has not drained yet.
        if units or limit.meter in ask.units:
            yield Charge((terms.tenant_id, limit.meter, ""), limit, units)
        if endpoint is not None and endpoint.limit is not None:
            own = LimitTerms(
                meter=limit.meter,
                kind=limit.kind,
                limit=endpoint.limit,
                window_seconds=limit.window_seconds,
                paid=limit.paid,
            )
            yield Charge((terms.tenant_id, limit.meter, endpoint.pattern), own, 1)


def slots_weight(limit: LimitTerms, ask: Ask) -> int:
    """How many slots of a concurrency limit a request holds while it runs."""
    endpoint = endpoint_for(limit.endpoints, ask.method, ask.path)
    return ask.units.get(limit.meter, 1 if endpoint is None else endpoint.weight)


class Counters:
    """All counters of one process.

    Parameters
    ----------
    share:
        How many such places share each limit; each enforces its part, rounded up.
    longest_delay_us:
        How long a request is held when an allowance with a soft share is all but used up.
    """

    def __init__(self, *, share: int = 1, longest_delay_us: int = SECOND_US // 2) -> None:
        self._share = share
        self._longest_delay_us = longest_delay_us
        self._buckets: dict[Key, Bucket] = {}
        self._allowances: dict[Key, Allowance] = {}

    def __len__(self) -> int:
        return len(self._buckets) + len(self._allowances)

    def admit(self, terms: Terms, ask: Ask, now_us: int) -> Verdict:
        """Count a request towards everything that it touches, or refuse it and count nothing."""
        return self._admit(list(charges_of(terms, ask)), terms, ask, now_us)

    def _admit(self, charges: Sequence[Charge], terms: Terms, ask: Ask, now_us: int) -> Verdict:
        verdict = self._verdict(charges, terms, ask, now_us)
        if verdict.passes:
            for charge in charges:
                self._count(charge)
        return verdict

    def look(self, terms: Terms, ask: Ask, now_us: int) -> Verdict:
        """What :meth:`admit` would say; nothing is counted."""
        return self._verdict(charges_of(terms, ask), terms, ask, now_us)

    def _verdict(self, charges: Iterable[Charge], terms: Terms, ask: Ask, now_us: int) -> Verdict:
        states, delay_us, refused = [], 0, False
        for charge in charges:
            state, delay = self._look(charge, ask, now_us, terms.since_us)
            states.append(state)
            delay_us = max(delay_us, delay)
            refused = refused or state.refused
        return Verdict(states=tuple(states), delay_us=0 if refused else delay_us)

    def count(self, terms: Terms, ask: Ask, now_us: int) -> None:
        """Count a request that passed by another's verdict, whatever it comes to."""
        self.look(terms, ask, now_us)
        for charge in charges_of(terms, ask):
            self._count(charge)

    def give_back(self, terms: Terms, ask: Ask) -> None:
        """Undo an :meth:`admit` that passed, because the request was not served after all."""
        for charge in charges_of(terms, ask):
            if (bucket := self._buckets.get(charge.key)) is not None:
                bucket.give_back(charge.units)
            if (allowance := self._allowances.get(charge.key)) is not None:
                allowance.give_back(charge.units)

    def charge(self, terms: Terms, meter: str, units: int, now_us: int) -> None:
        """Count units that are known only after the answer (tokens, rows). Never refuses."""
        for limit in terms.limits:
            if limit.meter == meter and limit.kind in (LimitKind.RATE, LimitKind.QUOTA):
                charge = Charge((terms.tenant_id, meter, ""), limit, units)
                self._look(charge, Ask(), now_us, terms.since_us)
                self._count(charge)

    def forget_idle(self, now_us: int) -> None:
        """Let go of counters that say nothing any more; the same as keeping them, but smaller."""
        for key in [k for k, b in self._buckets.items() if b.empty_in_us(now_us) == 0]:
            del self._buckets[key]
        for key in [k for k, a in self._allowances.items() if a.resets_in_us(now_us) == 0]:
            del self._allowances[key]

    def kept_allowances(self) -> dict[Key, tuple[int, int, int]]:
        """What :meth:`resume_allowances` needs after a restart."""
        return {key: allowance.kept for key, allowance in self._allowances.items()}

    def resume_allowances(self, kept: Mapping[Key, tuple[int, int, int]]) -> None:
        """Go on counting allowances from what was kept; an allowance outlives a process."""
        for key, (used, window_seconds, end_us) in kept.items():
            allowance = self._allowances.setdefault(key, Allowance())
            allowance.resume(used, window_seconds, end_us)

    def _part(self, units: int) -> int:
        return -(-units // self._share)

    def _look(
        self, charge: Charge, ask: Ask, now_us: int, since_us: int | None
    ) -> tuple[LimitState, int]:
        match charge.terms.kind:
            case LimitKind.RATE:
                return self._look_rate(charge, now_us, since_us), 0
            case LimitKind.QUOTA:
                return self._look_quota(charge, now_us)
            case _:
                return self._look_storage(charge, ask)

    def _look_rate(self, charge: Charge, now_us: int, since_us: int | None) -> LimitState:
        limit, size = self._part(charge.terms.limit), self._part(charge.terms.size)
        window_us = (charge.terms.window_seconds or 60) * SECOND_US
        bucket = self._buckets.get(charge.key)
        if bucket is None:
            bucket = Bucket(limit=limit, window_us=window_us, at_us=now_us)
            self._buckets[charge.key] = bucket
        bucket.adjust(
            limit=limit,
            window_us=window_us,
            at_us=now_us if since_us is None else min(since_us, now_us),
        )
        wait_us, left, empty_us = bucket.look(charge.units, size=size, now_us=now_us)
        return _state(
            charge,
            remaining=left if wait_us else max(0, left - charge.units),
            reset_us=empty_us + (0 if wait_us else -(-charge.units * window_us // limit)),
            wait_us=wait_us,
            refused=wait_us > 0,
        )

    def _look_quota(self, charge: Charge, now_us: int) -> tuple[LimitState, int]:
        limit = self._part(charge.terms.limit)
        window_seconds = charge.terms.window_seconds or 86_400
        allowance = self._allowances.setdefault(charge.key, Allowance())
        used = allowance.used(window_seconds, now_us)
        resets_in_us = allowance.resets_in_us(now_us)
        refused = used + max(charge.units, 1) > limit
        after = used if refused else used + charge.units
        delay_us = soft_delay_us(
            after, limit=limit, soft=charge.terms.soft, longest_us=self._longest_delay_us
        )
        state = _state(
            charge,
            remaining=max(0, limit - after),
            reset_us=resets_in_us,
            wait_us=resets_in_us if refused else 0,
            refused=refused,
            soft=is_soft(after, limit=limit, soft=charge.terms.soft),
        )
        return state, delay_us

    def _look_storage(self, charge: Charge, ask: Ask) -> tuple[LimitState, int]:
        # Stored bytes are one number for all nodes: nothing is shared out.
        limit = charge.terms.limit
        stored = ask.stored.get(charge.terms.meter, 0)
        refused = charge.units > 0 and stored + charge.units > limit
        after = stored if refused else stored + charge.units
        delay_us = soft_delay_us(
            after, limit=limit, soft=charge.terms.soft, longest_us=self._longest_delay_us
        )
        adds = charge.units > 0
        state = _state(
            charge,
            remaining=max(0, limit - after),
            reset_us=None,
            refused=refused,
            soft=is_soft(after, limit=limit, soft=charge.terms.soft),
        )
        return state, delay_us if adds else 0

    def _count(self, charge: Charge) -> None:
        match charge.terms.kind:
            case LimitKind.RATE:
                self._buckets[charge.key].take(charge.units)
            case LimitKind.QUOTA:
                self._allowances[charge.key].take(charge.units)


def _state(
    charge: Charge,
    *,
    remaining: int,
    reset_us: int | None,
    refused: bool,
    wait_us: int = 0,
    soft: bool = False,
) -> LimitState:
    return LimitState(
        policy=charge.policy,
        meter=charge.terms.meter,
        kind=charge.terms.kind,
        limit=charge.terms.limit,
        window_seconds=charge.terms.window_seconds,
        remaining=remaining,
        reset_us=reset_us,
        wait_us=wait_us,
        refused=refused,
        soft=soft,
        paid=charge.terms.paid,
    )


def queue_refusal(tenant: Terms, limit: LimitTerms, *, wait_us: int = SECOND_US) -> Verdict:
    """The verdict on a request that found a full queue, or waited in it until its deadline."""
    state = _state(
        Charge((tenant.tenant_id, limit.meter, ""), limit, 1),
        remaining=0,
        reset_us=None,
        refused=True,
        wait_us=wait_us,
    )
    return Verdict(states=(state,))
