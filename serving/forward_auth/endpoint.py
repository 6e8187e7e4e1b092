"""``/v1/authorize``, straight on ASGI: counts a request, and lets it pass or refuses it.

What nginx's ``auth_request``, Caddy's and Traefik's ``forward_auth``, APISIX's ``forward-auth`` and
Envoy's HTTP ext_authz ask before they pass a request on. Whatever goes wrong here lets the request
pass, and says so: a throttle must not become an outage.
"""

from __future__ import annotations

from urllib.parse import parse_qs, unquote

import structlog
from starlette.types import Receive, Scope, Send

from flyball.decision import Source
from flyball.enforcement.counters import REQUEST_METER, Ask, Key
from flyball.enforcement.fields import STATE_FIELD, limit_fields
from flyball.enforcement.refusal import MEDIA_TYPE, refusal_body
from flyball.enforcement.terms import Terms
from flyball.enforcement.verdict import Verdict
from flyball.errors import FlyballError
from flyball.identity import check_identifier
from serving.forward_auth.authorize_settings import AuthorizeSettings
from serving.pace import pace_of
from serving.rest.problem import problem
from serving.shared_counters import LockBusy, SharedCounters
from serving.terms_book import Decided, TermsBook
from serving.worker import Worker

PATH = "/v1/authorize"
ROLES = ("gateway",)
#: The service's own token, for gateways that pass the client's Authorization header along.
TOKEN_HEADER = b"x-flyball-token"
#: Where gateways put the original request's method and path.
_METHODS = (b"x-forwarded-method", b"x-original-method")
_PATHS = (b"x-forwarded-uri", b"x-original-uri", b"x-original-url")

#: Where no endpoint has a weight or a limit of its own, all requests are alike.
_ANYTHING = Ask()
#: Tenants of whom is remembered what their requests have in common.
_MOST_KNOWN = 20_000
Fields = list[tuple[str, str]]
#: Header fields as they are sent.
Sent = list[tuple[bytes, bytes]]


class Known:
    """What is the same for all requests of a tenant until its decision changes."""

    __slots__ = ("has_endpoints", "pace", "place", "terms", "told")

    def __init__(self, terms: Terms, decided: Decided, counters: SharedCounters) -> None:
        self.terms = terms
        self.has_endpoints = any(limit.endpoints for limit in terms.limits)
        self.pace = pace_of(terms)
        key: Key = (terms.tenant_id, REQUEST_METER, "")
        self.place = counters.place_of(key)
        self.told = tuple(_encoded(decision_fields(decided)))


class AuthorizeEndpoint:
    """The route of one worker; counters are shared with every other process of the home."""

    def __init__(self, worker: Worker, settings: AuthorizeSettings) -> None:
        self._worker = worker
        self._tenant_header = settings.tenant_header.lower().encode()
        self._plan_url = settings.plan_url or None
        self._book = TermsBook(worker.answer, lambda: worker.reader.created_us, worker.mark)
        self._known: dict[str, Known] = {}
        self._counters: SharedCounters | None = None
        self._log = structlog.get_logger("serving.forward_auth")
        self._reported = ""

    def takes(self, scope: Scope) -> bool:
        """Whether a request is for this route; Envoy appends the original path to it."""
        path: str = scope["path"]
        return path.startswith(PATH) and (len(path) == len(PATH) or path[len(PATH)] == "/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        who = self._worker.principal(_authorization(headers), _host(scope, headers))
        if who is None or not who.may(ROLES):
            # The gateway's own mistake, and one that must be seen before it serves anybody.
            refusal = problem(
                401 if who is None else 403,
                "The gateway needs a token of the role gateway: send it as Authorization, or as "
                "X-Flyball-Token where Authorization is the client's.",
                code="unauthorized" if who is None else "forbidden",
            )
            await refusal(scope, receive, send)
            return
        deny_status = _deny_status(scope["query_string"])
        if deny_status is None:
            await problem(
                422, "deny_status must lie in 400..499.", code="invalid", field="deny_status"
            )(scope, receive, send)
            return
        await _reply(send, *self._decide(headers, scope, deny_status))

    def _decide(
        self, headers: dict[bytes, bytes], scope: Scope, deny_status: int
    ) -> tuple[int, Sent, bytes]:
        try:
            name = _name(headers.get(self._tenant_header))
            if name is None:
                return self._passed("no_identity", _state("no_identity"))
            terms, decided = self._book.look_up(name)
            if decided.source == Source.UNKNOWN_TENANT:
                return self._passed("unknown_tenant", _state(decided.source))
            known = self._known.get(name)
            if known is None or known.terms is not terms:
                known = self._know(name, terms, decided)
            ask = _ask(headers, scope) if known.has_endpoints else _ANYTHING
            return self._count(known, ask, deny_status)
        except LockBusy:
            return self._passed("open", _state("open"))
        except Exception as error:
            self._report(error)
            return self._passed("open", _state("open"))

    def _know(self, name: str, terms: Terms, decided: Decided) -> Known:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        known = self._known[name] = Known(terms, decided, self._shared())
        return known

    def _count(self, known: Known, ask: Ask, deny_status: int) -> tuple[int, Sent, bytes]:
        now_us = self._worker.now_us()
        pace, terms = known.pace, known.terms
        if pace is not None and (not pace.endpoints or pace.is_plain(ask.method, ask.path)):
            paced = self._shared().pass_one(pace, known.place, now_us)
            if paced is not None:
                return self._passed("allowed", [*known.told, *paced.fields])
        verdict = self._shared().admit(terms, ask, now_us)
        fields = [*known.told, *_encoded(limit_fields(verdict, now_us))]
        if verdict.passes:
            if verdict.delay_us:
                held_ms = -(-verdict.delay_us // 1_000)
                fields.append((b"x-flyball-delay-ms", b"%d" % held_ms))
            return self._passed("allowed", fields)
        return self._refused(verdict, fields, deny_status)

    def _refused(self, verdict: Verdict, fields: Sent, deny_status: int) -> tuple[int, Sent, bytes]:
        self._worker.verdicts.count("denied")
        fields += [
            (b"x-flyball-status", b"%d" % verdict.status),
            (b"content-type", MEDIA_TYPE.encode()),
        ]
        status = verdict.status if deny_status == 0 else deny_status
        return status, fields, refusal_body(verdict, plan_url=self._plan_url)

    def _passed(self, verdict: str, fields: Sent) -> tuple[int, Sent, bytes]:
        self._worker.verdicts.count(verdict)
        return 200, fields, b""

    def _shared(self) -> SharedCounters:
        # Opened at the first request: a read-only home serves lookups all the same.
        if self._counters is None:
            self._counters = SharedCounters(self._worker.home.counters)
        return self._counters

    def _report(self, error: Exception) -> None:
        if repr(error) == self._reported:
            return
        self._reported = repr(error)
        self._log.error(
            "authorize_failed_open",
            error=str(error) if isinstance(error, FlyballError) else repr(error),
            exc_info=None if isinstance(error, FlyballError) else error,
        )

    def close(self) -> None:
        """Let go of the counters."""
        if self._counters is not None:
            self._counters.close()


def decision_fields(decided: Decided) -> Fields:
    """What a gateway may pass on to the service behind it; nothing here is a probability."""
    fields = [
        (STATE_FIELD, decided.source),
        ("x-flyball-tenant", decided.tenantId),
        ("x-flyball-multiplier", f"{decided.dynamicMultiplier:g}"),
        ("x-flyball-enforce-friction", "true" if decided.enforceFriction else "false"),
    ]
    if decided.effectiveLimit is not None and decided.baseLimit is not None:
        fields.append(("x-flyball-base-limit", str(decided.baseLimit)))
        fields.append(("x-flyball-effective-limit", str(decided.effectiveLimit)))
    return fields


def _encoded(fields: Fields) -> Sent:
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in fields]


def _state(state: str) -> Sent:
    return _encoded([(STATE_FIELD, state)])


def _name(raw: bytes | None) -> str | None:
    """The tenant's name, None where the gateway has set none."""
    text = "" if raw is None else raw.decode("latin-1").strip()
    return check_identifier(text, field="tenant") if text else None


def _authorization(headers: dict[bytes, bytes]) -> bytes | None:
    own = headers.get(TOKEN_HEADER)
    return headers.get(b"authorization") if own is None else b"Bearer " + own.strip()


def _host(scope: Scope, headers: dict[bytes, bytes]) -> bytes | None:
    # Gateways may keep the original Host. Through a Unix socket nobody can be sent by a web page.
    return None if scope.get("client") is None else headers.get(b"host")


def _ask(headers: dict[bytes, bytes], scope: Scope) -> Ask:
    method = next((headers[name] for name in _METHODS if name in headers), None)
    target = next((headers[name] for name in _PATHS if name in headers), None)
    appended: str = scope["path"][len(PATH) :]
    path = appended
    if target is not None:
        path = unquote(target.decode("latin-1").partition("?")[0])
    return Ask(
        method=(scope["method"] if method is None else method.decode("latin-1")).upper(),
        path=path or "/",
    )


def _deny_status(query: bytes) -> int | None:
    """0 where the verdict's own status is wanted; None where the wish cannot be met."""
    if not query:
        return 0
    wished = parse_qs(query.decode("latin-1")).get("deny_status")
    if not wished:
        return 0
    text = wished[-1]
    return int(text) if text.isascii() and text.isdigit() and 400 <= int(text) <= 499 else None


async def _reply(send: Send, status: int, fields: Sent, body: bytes) -> None:
    headers = [*fields, (b"cache-control", b"no-store"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
