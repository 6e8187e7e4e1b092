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
from serving.forward_auth.endpoint import decision_fields
from serving.shared_counters import LockBusy
from serving.terms_book import Decided

#: Key of ``context_extensions``, which the operator sets per route and no client can.
ENFORCE, COUNT = "flyball.enforce", "count"
_OK, _RESOURCE_EXHAUSTED = 0, 8


class Authorization:
    """Answers ``Check``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._header = desk.authorize.tenant_header.lower()
        self._plan_url = desk.authorize.plan_url or None

    def check(self, request: Any) -> Any:
        """One request; whatever fails here lets it pass and says so."""
        try:
            return self._check(request.attributes)
        except LockBusy:
            return _passes([(STATE_FIELD, "open")], {"source": "open"})
        except Exception as error:
            self._desk.report("check_failed_open", error)
            return _passes([(STATE_FIELD, "open")], {"source": "open"})

    def _check(self, attributes: Any) -> Any:
        http = attributes.request.http
        name = self._name(http)
        if name is None:
            self._desk.count("no_identity")
            return _passes([(STATE_FIELD, "no_identity")], {"source": "no_identity"})
        terms, decided = self._desk.book.look_up(name)
        metadata = metadata_of(terms, decided)
        if decided.source == Source.UNKNOWN_TENANT:
            self._desk.count("unknown_tenant")
            return _passes([(STATE_FIELD, decided.source)], metadata)
        if attributes.context_extensions.get(ENFORCE) == COUNT:
            return self._counted(terms, decided, http, metadata)
        self._desk.count("allowed")
        return _passes(decision_fields(decided), metadata)

    def _counted(self, terms: Terms, decided: Decided, http: Any, metadata: dict[str, Any]) -> Any:
        now_us = self._desk.now_us()
        ask = Ask(method=http.method or "GET", path=http.path.partition("?")[0] or "/")
        verdict = self._desk.counters.admit(terms, ask, now_us)
        told = limit_fields(verdict, now_us)
        if verdict.passes:
            self._desk.count("allowed")
            return _passes(decision_fields(decided), metadata, told)
        self._desk.count("denied")
        return self._refused(verdict, [*told, (STATE_FIELD, decided.source)], metadata)

    def _refused(
        self, verdict: Verdict, fields: list[tuple[str, str]], metadata: dict[str, Any]
    ) -> Any:
        response = pb.CheckResponse(
            status=pb.Status(code=_RESOURCE_EXHAUSTED),
            denied_response=pb.DeniedHttpResponse(
                status=pb.HttpStatus(code=verdict.status),
                headers=overwriting([*fields, ("content-type", MEDIA_TYPE)]),
                body=refusal_body(verdict, plan_url=self._plan_url).decode(),
            ),
        )
        response.dynamic_metadata.update(metadata)
        return response

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


def _passes(
    fields: list[tuple[str, str]],
    metadata: dict[str, Any],
    told: list[tuple[str, str]] | None = None,
) -> Any:
    response = pb.CheckResponse(
        status=pb.Status(code=_OK),
        ok_response=pb.OkHttpResponse(
            headers=overwriting(fields), response_headers_to_add=overwriting(told or [])
        ),
    )
    response.dynamic_metadata.update(metadata)
    return response
