"""Limits: what a plan grants of one meter, and what was promised of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from flyball.endpoint import Endpoint, endpoints_from
from flyball.errors import InvalidInput

#: Largest limit accepted; effective limits stay exact integers well inside int64.
MAX_LIMIT = 10**15

WINDOW_SECONDS: Mapping[str, int] = {
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "month": 30 * 86_400,
}


class LimitKind(StrEnum):
    """What a limit bounds: pace, paid allowance, parallel work, or what is stored."""

    RATE = "rate"
    QUOTA = "quota"
    CONCURRENCY = "concurrency"
    STORAGE = "storage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit of a plan, in units of its meter per window.

    Parameters
    ----------
    base:
        What the gateway would enforce without Flyball (≥ 1).
    contract:
        What the tenant was promised (1..base). Missing means ``base``: friction is impossible.
    per:
        ``minute``, ``hour``, ``day`` or ``month`` (30 days); ignored for concurrency and storage.
    kind:
        See :class:`LimitKind`.
    burst:
        Units that may come at once (rate only, ≥ 1); None leaves it to the gateway.
    soft:
        Hundredths of the effective limit above which service may degrade (quota and storage,
        1..100); None leaves it to the gateway.
    paid:
        Whether an exhausted allowance is a matter of payment (quota only).
    endpoints:
        Endpoints with their own weight or limit (not for storage).
    """

    base: int
    contract: int
    per: str = "minute"
    kind: LimitKind = LimitKind.RATE
    burst: int | None = None
    soft: int | None = None
    paid: bool = False
    endpoints: tuple[Endpoint, ...] = ()

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_kind()
        for endpoint in self.endpoints:
            if endpoint.base is not None:
                Limit(base=endpoint.base, contract=endpoint.contract or endpoint.base)

    def _check_numbers(self) -> None:
        if not 1 <= self.base <= MAX_LIMIT:
            raise InvalidInput(
                f"base limit {self.base} must lie in 1..{MAX_LIMIT}.",
                field="base",
                code="bad_limit",
            )
        if not 1 <= self.contract <= self.base:
            raise InvalidInput(
                f"contract limit {self.contract} must lie in 1..base ({self.base}).",
                "What was promised cannot exceed what is enforced.",
                field="contract",
                code="bad_limit",
            )
        if self.per not in WINDOW_SECONDS:
            raise InvalidInput(
                f"limit window {self.per!r} is not one of {', '.join(WINDOW_SECONDS)}.",
                field="per",
                code="bad_limit",
            )
        if self.burst is not None and not 1 <= self.burst <= MAX_LIMIT:
            raise InvalidInput(
                f"burst {self.burst} must lie in 1..{MAX_LIMIT}.", field="burst", code="bad_limit"
            )
        if self.soft is not None and not 1 <= self.soft <= 100:
            raise InvalidInput(
                f"soft {self.soft} must lie in 1..100 (hundredths of the limit).",
                field="soft",
                code="bad_limit",
            )

    def _check_kind(self) -> None:
        for name, stated, kinds in (
            ("burst", self.burst is not None, (LimitKind.RATE,)),
            ("soft", self.soft is not None, (LimitKind.QUOTA, LimitKind.STORAGE)),
            ("paid", self.paid, (LimitKind.QUOTA,)),
            ("endpoints", bool(self.endpoints), tuple(k for k in LimitKind if k != "storage")),
        ):
            if stated and self.kind not in kinds:
                raise InvalidInput(
                    f"{name} means nothing for a limit of kind {self.kind}.",
                    f"It is for {', '.join(kinds)}.",
                    field=name,
                    code="bad_limit",
                )

    @property
    def window_seconds(self) -> int:
        """Length of the limit's window in seconds."""
        return WINDOW_SECONDS[self.per]

    @property
    def counting_seconds(self) -> int | None:
        """The window that use is counted over; None for concurrency and storage."""
        if self.kind in (LimitKind.CONCURRENCY, LimitKind.STORAGE):
            return None
        return self.window_seconds

    @property
    def promises(self) -> tuple[tuple[int, int], ...]:
        """Every base and contract limit that an arm must keep: its own, then its endpoints'."""
        return (
            (self.base, self.contract),
            *(
                (endpoint.base, endpoint.contract or endpoint.base)
                for endpoint in self.endpoints
                if endpoint.base is not None
            ),
        )


class MeterLimit(NamedTuple):
    """A limit and the meter that it bounds."""

    meter: str
    limit: Limit


def whole_number(value: object, *, name: str, code: str = "invalid") -> int:
    """``value`` as an int; raises InvalidInput naming the field unless it is a whole number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise InvalidInput(f"{name} must be a whole number.", field=name, code=code)
    return int(value)


def limit_from(raw: Mapping[str, object]) -> Limit:
    """Read one entry of a plan's ``limits``.

    Raises
    ------
    InvalidInput
        A number out of range.
    KeyError, ValueError
        ``base`` is missing; ``kind`` is unknown.
    """

    def whole(name: str) -> int | None:
        value = raw.get(name)
        return None if value is None else whole_number(value, name=name, code="bad_limit")

    base = whole_number(raw["base"], name="base", code="bad_limit")
    contract = whole("contract")
    paid = raw.get("paid", False)
    if not isinstance(paid, bool):
        raise InvalidInput("paid must be true or false.", field="paid", code="bad_limit")
    return Limit(
        base=base,
        contract=base if contract is None else contract,
        per=str(raw.get("per", "minute")),
        kind=LimitKind(str(raw.get("kind", "rate"))),
        burst=whole("burst"),
        soft=whole("soft"),
        paid=paid,
        endpoints=endpoints_from(raw.get("endpoints")),
    )


def limit_document(limit: Limit) -> dict[str, object]:
    """What :func:`limit_from` reads; what a plan may leave out is left out where it says nothing.

    So a plan that was written before those words existed is still the same document.
    """
    document: dict[str, object] = {
        "base": limit.base,
        "contract": limit.contract,
        "per": limit.per,
        "kind": limit.kind.value,
    }
    extras = {"burst": limit.burst, "soft": limit.soft, "paid": limit.paid or None}
    document |= {name: value for name, value in extras.items() if value is not None}
    if limit.endpoints:
        document["endpoints"] = {
            endpoint.pattern: {
                "weight": endpoint.weight,
                **(
                    {}
                    if endpoint.base is None
                    else {"base": endpoint.base, "contract": endpoint.contract}
                ),
            }
            for endpoint in limit.endpoints
        }
    return document
