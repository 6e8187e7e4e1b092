"""Decisions as lines of text for gateways: the format of docs/reference/sidecar.md."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from flyball.enforcement.terms import enforced_limit

FORMAT = 1


class WireEndpoint(msgspec.Struct, frozen=True):
    """An endpoint of a decision's JSON."""

    pattern: str
    weight: int = 1
    baseLimit: int | None = None  # noqa: N815  # the wire's names
    effectiveLimit: int | None = None  # noqa: N815


class WireLimit(msgspec.Struct, frozen=True):
    """A limit of a decision's JSON."""

    meter: str
    kind: str
    baseLimit: int  # noqa: N815
    effectiveLimit: int  # noqa: N815
    windowSeconds: int | None = None  # noqa: N815
    burst: int | None = None
    soft: int | None = None
    paid: bool = False
    endpoints: tuple[WireEndpoint, ...] = ()


class WireDecision(msgspec.Struct, frozen=True):
    """What lines need of a decision's JSON; everything else is passed over.

    Limits stay as text until they are needed: all tenants of a plan under one arm have the same.
    """

    tenantId: str  # noqa: N815
    enforceFriction: bool  # noqa: N815
    source: str
    limits: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def known(self) -> bool:
        """Whether this is a tenant that the service knows."""
        return self.source != "unknown_tenant"

    @property
    def every_limit(self) -> tuple[WireLimit, ...]:
        """The limits; empty where the service knows none."""
        return _limits(bytes(self.limits))

    def limit_now(self, limit: WireLimit) -> int:
        """The number to enforce."""
        return enforced_limit(limit.baseLimit, limit.effectiveLimit, friction=self.enforceFriction)


_DECODER = msgspec.json.Decoder(WireDecision)
_LIMITS = msgspec.json.Decoder(tuple[WireLimit, ...] | None)
_ESCAPES = str.maketrans(
    {"%": "%25", ",": "%2C", ";": "%3B", "\t": "%09", "\n": "%0A", "\r": "%0D"}
)


def read_decision(raw: bytes) -> WireDecision:
    """Read a decision's JSON, as the snapshot's reader writes it."""
    return _DECODER.decode(raw)


def is_writable(name: str) -> bool:
    """Whether a name can stand in a line."""
    return bool(name) and name.isprintable() and not name.startswith("#") and " " not in name


@lru_cache(maxsize=4_096)
def _limits(raw: bytes) -> tuple[WireLimit, ...]:
    return _LIMITS.decode(raw) or ()


def decision_line(name: str, decision: WireDecision) -> str:
    """One name's line, with its end."""
    return f"{name}\t{decision.tenantId}\t{limit_columns(decision)}"


def limit_columns(decision: WireDecision) -> str:
    """What a line says after the name and the tenant, with its end."""
    return _columns(bytes(decision.limits), friction=decision.enforceFriction)


@lru_cache(maxsize=4_096)
def _columns(raw: bytes, *, friction: bool) -> str:
    limits = _limits(raw)
    columns = ["1" if friction else "0", str(len(limits))]
    for limit in limits:
        columns += (
            limit.meter,
            limit.kind,
            str(limit.baseLimit),
            str(enforced_limit(limit.baseLimit, limit.effectiveLimit, friction=friction)),
            str(limit.windowSeconds or 0),
            str(limit.burst or 0),
            str(limit.soft or 0),
            "1" if limit.paid else "0",
            _endpoints(limit, friction=friction),
        )
    return "\t".join(columns) + "\n"


def _endpoints(limit: WireLimit, *, friction: bool) -> str:
    if not limit.endpoints:
        return "-"
    parts = []
    for endpoint in limit.endpoints:
        base, effective = endpoint.baseLimit or 0, endpoint.effectiveLimit or 0
        now = enforced_limit(base, effective, friction=friction) if base and effective else 0
        pattern = endpoint.pattern.translate(_ESCAPES)
        parts.append(f"{pattern},{endpoint.weight},{base},{now}")
    return ";".join(parts)


def gone_line(name: str) -> str:
    """The line that says that a name is no longer known."""
    return f"{name}\t-\n"


def version_line(
    generation: int, epoch: int, number: int, published_seconds: int, expires_seconds: int
) -> str:
    """The line before everything that belongs to a version."""
    parts = ("#flyball", FORMAT, generation, epoch, number, published_seconds, expires_seconds)
    return "\t".join(str(part) for part in parts) + "\n"


def changes_head(generation: int) -> str:
    """The first line of the file of changes."""
    return f"#changes\t{FORMAT}\t{generation}\n"
