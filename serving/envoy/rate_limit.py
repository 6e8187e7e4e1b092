"""``envoy.service.ratelimit.v3.RateLimitService``: counting for gateways that ask this way.

A descriptor names its tenant under ``grpc.tenant_key``; ``method`` and ``path`` entries, where
there are any, find the endpoint's weight. The limit is the decision's, for each request anew. An
override in the descriptor counts for tenants that we do not know.
"""

from __future__ import annotations

from typing import Any

from flyball.decision import Source
from flyball.enforcement.counters import REQUEST_METER, Ask
from flyball.enforcement.fields import STATE_FIELD, limit_fields
from flyball.enforcement.refusal import MEDIA_TYPE, refusal_body
from flyball.enforcement.terms import LimitTerms, Terms
from flyball.enforcement.verdict import LimitState, Verdict
from flyball.errors import InvalidInput
from flyball.identity import check_identifier
from flyball.limit import LimitKind
from serving.envoy import messages_pb2 as pb
from serving.envoy.desk import Desk
from serving.envoy.dialect import MOST, metadata_of, plain, unit_of, window_of
from serving.shared_counters import LockBusy
from serving.terms_book import Decided

_OK = pb.RateLimitResponse.OK
_OVER = pb.RateLimitResponse.OVER_LIMIT
_SECOND_US = 1_000_000


class RateLimits:
    """Answers ``ShouldRateLimit``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._plan_url = desk.authorize.plan_url or None

    def should_rate_limit(self, request: Any) -> Any:
        """One request with its descriptors; whatever fails here lets it pass."""
        response = pb.RateLimitResponse(overall_code=_OK)
        try:
            for descriptor in request.descriptors:
                self._answer(descriptor, request, response)
        except LockBusy:
            return _open(request)
        except Exception as error:
            self._desk.report("rate_limit_failed_open", error)
            return _open(request)
        return response

    def _answer(self, descriptor: Any, request: Any, response: Any) -> None:
        entries = {entry.key: entry.value for entry in descriptor.entries}
        found = self._terms(entries, descriptor)
        if found is None:
            self._desk.count("no_identity")
            response.statuses.add(code=_OK)
            return
        terms, decided = found
        now_us = self._desk.now_us()
        verdict = self._desk.counters.admit(terms, _ask(entries, descriptor, request), now_us)
        self._desk.count("allowed" if verdict.passes else "denied")
        _add_status(response, verdict)
        state = (STATE_FIELD, decided.source)
        response.response_headers_to_add.extend(plain([*limit_fields(verdict, now_us), state]))
        response.request_headers_to_add.extend(plain([state]))
        response.dynamic_metadata.update(metadata_of(terms, decided))
        if not verdict.passes:
            response.overall_code = _OVER
            response.raw_body = refusal_body(verdict, plan_url=self._plan_url)
            response.response_headers_to_add.extend(plain([("content-type", MEDIA_TYPE)]))

    def _terms(self, entries: dict[str, str], descriptor: Any) -> tuple[Terms, Decided] | None:
        name = entries.get(self._desk.grpc.tenant_key, "")
        try:
            check_identifier(name, field="tenant")
        except InvalidInput:
            return None
        terms, decided = self._desk.book.look_up(name)
        if decided.source != Source.UNKNOWN_TENANT or not descriptor.HasField("limit"):
            return terms, decided
        window = window_of(descriptor.limit.unit)
        if window is None or descriptor.limit.requests_per_unit < 1:
            return terms, decided
        own = LimitTerms(
            meter=REQUEST_METER,
            kind=LimitKind.RATE,
            limit=descriptor.limit.requests_per_unit,
            window_seconds=window,
        )
        return Terms(tenant_id=terms.tenant_id, limits=(own,), source=terms.source), decided


def _ask(entries: dict[str, str], descriptor: Any, request: Any) -> Ask:
    hits = request.hits_addend
    if descriptor.HasField("hits_addend"):
        hits = descriptor.hits_addend.value
    elif hits == 0:
        # Left out means one; a descriptor that says 0 only looks.
        hits = 1
    units = {} if hits == 1 else {REQUEST_METER: hits}
    path = entries.get("path", "/").partition("?")[0]
    return Ask(method=entries.get("method", "GET"), path=path or "/", units=units)


def _add_status(response: Any, verdict: Verdict) -> None:
    tightest = verdict.tightest
    if tightest is None:
        response.statuses.add(code=_OK)
        return
    status = response.statuses.add(
        code=_OK if verdict.passes else _OVER,
        current_limit=pb.RateLimitResponse.RateLimit(
            name=tightest.policy,
            requests_per_unit=min(tightest.limit, MOST),
            unit=unit_of(tightest.window_seconds) or "UNKNOWN",
        ),
        limit_remaining=min(tightest.remaining, MOST),
    )
    seconds = _reset_seconds(tightest)
    if seconds is not None:
        status.duration_until_reset.seconds = seconds


def _reset_seconds(state: LimitState) -> int | None:
    micros = state.wait_us if state.refused and state.wait_us else state.reset_us
    return None if micros is None else -(-micros // _SECOND_US)


def _open(request: Any) -> Any:
    response = pb.RateLimitResponse(overall_code=_OK)
    for _ in request.descriptors:
        response.statuses.add(code=_OK)
    response.response_headers_to_add.extend(plain([(STATE_FIELD, "open")]))
    return response
