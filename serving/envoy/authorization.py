"""``envoy.service.auth.v3.Authorization``: the decision as headers and dynamic metadata.

By default nothing is counted: the limit goes into the metadata, and Envoy's own limiter (or the
team's rate limit service) counts with it. Where the route's ``context_extensions`` hold
``flyball.enforce: count``, the request is counted here too, and refused beyond the limit.
"""

from __future__ import annotations

from typing import Any

from flyball.decision import Source
from flyball.enforcement.counters import Ask
from flyball.enforcement.fields import STATE_FIELD, limit_fields
from flyball.enforcement.refusal import MEDIA_TYPE, refusal_body
from flyball.enforcement.terms import Terms
from flyball.enforcement.verdict import Verdict
from flyball.errors import InvalidInput
from flyball.identity import check_identifier
from serving.envoy import messages_pb2 as pb
from serving.envoy.desk import Desk
from serving.envoy.dialect import metadata_of, overwriting
from serving.envoy.passing import Passing, limits, passes
from serving.shared_counters import LockBusy
from serving.terms_book import Decided

#: Key of ``context_extensions``, which the operator sets per route and no client can.
ENFORCE, COUNT = "flyball.enforce", "count"
_RESOURCE_EXHAUSTED = 8
#: Tenants of whom is remembered what their answers have in common, about 1 kB each.
_MOST_KNOWN = 20_000


class Authorization:
    """Answers ``Check``, in bytes of ``CheckResponse``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._header = desk.authorize.tenant_header.lower()
        self._plan_url = desk.authorize.plan_url or None
        self._known: dict[str, Passing] = {}

    def check(self, request: Any) -> bytes:
        """One request; whatever fails here lets it pass and says so."""
        try:
            return self._check(request.attributes)
        except LockBusy:
            return passes([(STATE_FIELD, "open")], {"source": "open"})
        except Exception as error:
            self._desk.report("check_failed_open", error)
            return passes([(STATE_FIELD, "open")], {"source": "open"})

    def _check(self, attributes: Any) -> bytes:
        http = attributes.request.http
        name = self._name(http)
        if name is None:
            self._desk.count("no_identity")
            return passes([(STATE_FIELD, "no_identity")], {"source": "no_identity"})
        terms, decided = self._desk.book.look_up(name)
        if decided.source == Source.UNKNOWN_TENANT:
            self._desk.count("unknown_tenant")
            return passes([(STATE_FIELD, decided.source)], metadata_of(terms, decided))
        known = self._known.get(name)
        if known is None or known.terms is not terms:
            known = self._know(name, terms, decided)
        if attributes.context_extensions.get(ENFORCE) == COUNT:
            return self._counted(known, decided, http)
        self._desk.count("allowed")
        return known.told

    def _know(self, name: str, terms: Terms, decided: Decided) -> Passing:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        known = self._known[name] = Passing(terms, decided)
        return known

    def _counted(self, known: Passing, decided: Decided, http: Any) -> bytes:
        now_us, counters, pace = self._desk.now_us(), self._desk.counters, known.pace
        method, path = http.method or "GET", http.path.partition("?")[0] or "/"
        if pace is not None and (not pace.endpoints or pace.is_plain(method, path)):
            paced = counters.pass_one(pace, known.place(counters), now_us)
            if paced is not None:
                self._desk.count("allowed")
                return known.after(paced)
        verdict = counters.admit(known.terms, Ask(method=method, path=path), now_us)
        told = limit_fields(verdict, now_us)
        if verdict.passes:
            self._desk.count("allowed")
            return known.told + limits(told)
        self._desk.count("denied")
        return self._refused(verdict, [*told, (STATE_FIELD, decided.source)], known.metadata)

    def _refused(
        self, verdict: Verdict, fields: list[tuple[str, str]], metadata: dict[str, Any]
    ) -> bytes:
        response = pb.CheckResponse(
            status=pb.Status(code=_RESOURCE_EXHAUSTED),
            denied_response=pb.DeniedHttpResponse(
                status=pb.HttpStatus(code=verdict.status),
                headers=overwriting([*fields, ("content-type", MEDIA_TYPE)]),
                body=refusal_body(verdict, plan_url=self._plan_url).decode(),
            ),
        )
        response.dynamic_metadata.update(metadata)
        answer: bytes = response.SerializeToString()
        return answer

    def _name(self, http: Any) -> str | None:
        raw = http.headers.get(self._header)
        if raw is None:
            # Envoy sends a list instead of a map where encode_raw_headers is set.
            for item in http.header_map.headers:
                if item.key.lower() == self._header:
                    raw = item.value or item.raw_value.decode("latin-1")
        text = (raw or "").strip()
        try:
            return check_identifier(text, field="tenant") if text else None
        except InvalidInput:
            return None
