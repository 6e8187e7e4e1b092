"""Plans: what a tenant bought, as data; and the limits that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from flyball.errors import InvalidInput
from flyball.identity import check_identifier, check_word

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
    """

    base: int
    contract: int
    per: str = "minute"
    kind: LimitKind = LimitKind.RATE

    def __post_init__(self) -> None:
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

    @property
    def window_seconds(self) -> int:
        """Length of the limit's window in seconds."""
        return WINDOW_SECONDS[self.per]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What tenants buy.

    Parameters
    ----------
    plan:
        Identifier.
    rank:
        Upgrade order: a higher rank is an upgrade.
    monthly_price_minor, currency:
        List price in integer minor units and ISO 4217 code.
    primary_meter:
        The meter whose limit the arm is applied to first; it must be in ``limits``.
    limits:
        Meter name to :class:`Limit`.
    entitlements:
        Free-form features of the plan, shown to people.
    """

    plan: str
    rank: int
    monthly_price_minor: int
    currency: str
    primary_meter: str
    limits: Mapping[str, Limit]
    entitlements: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_identifier(self.plan, field="plan")
        check_word(self.primary_meter, field="primary_meter")
        if self.primary_meter not in self.limits:
            raise InvalidInput(
                f"plan {self.plan}: primary meter {self.primary_meter} has no limit.",
                "Add it to the plan's limits.",
                field="primary_meter",
            )
        if self.monthly_price_minor < 0:
            raise InvalidInput(
                f"plan {self.plan}: the price is negative.", field="monthly_price_minor"
            )
        check_currency(self.currency)

    @property
    def primary_limit(self) -> Limit:
        """The limit of the primary meter."""
        return self.limits[self.primary_meter]


def check_currency(value: object) -> str:
    """Return ``value`` if it has the form of an ISO 4217 code (three capital letters)."""
    if not isinstance(value, str) or len(value) != 3 or not value.isascii() or not value.isalpha():
        raise InvalidInput(
            f"currency {str(value)[:16]!r} is not an ISO 4217 code.",
            "Write it like USD.",
            field="currency",
        )
    return value.upper()


def _whole(value: object, *, name: str, code: str = "invalid") -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise InvalidInput(f"{name} must be a whole number.", field=name, code=code)
    return int(value)


def plan_from(entry: object) -> Plan:
    """Read one entry of ``plans.json`` (or the body of ``PUT /v1/plans``).

    Raises
    ------
    InvalidInput
        Naming the plan and the field.
    """
    if not isinstance(entry, Mapping):
        raise InvalidInput("A plan must be a JSON object.", field="plans")
    name = check_identifier(entry.get("plan"), field="plan")
    try:
        raw_limits = entry["limits"]
        if not isinstance(raw_limits, Mapping):
            raise InvalidInput("limits must map meters to limits.", field="limits")
        limits: dict[str, Limit] = {}
        for meter, raw in raw_limits.items():
            if not isinstance(raw, Mapping):
                raise InvalidInput(f"limit of {meter} must be an object.", field="limits")
            base = _whole(raw["base"], name="base", code="bad_limit")
            contract = raw.get("contract")
            limits[check_word(meter, field="meter")] = Limit(
                base=base,
                contract=base if contract is None else _whole(contract, name="contract"),
                per=str(raw.get("per", "minute")),
                kind=LimitKind(str(raw.get("kind", "rate"))),
            )
        entitlements = entry.get("entitlements") or {}
        if not isinstance(entitlements, Mapping):
            raise InvalidInput("entitlements must be an object.", field="entitlements")
        return Plan(
            plan=name,
            rank=_whole(entry["rank"], name="rank"),
            monthly_price_minor=_whole(entry["monthly_price_minor"], name="monthly_price_minor"),
            currency=check_currency(entry["currency"]),
            primary_meter=str(entry["primary_meter"]),
            limits=limits,
            entitlements=dict(entitlements),
        )
    except KeyError as error:
        raise InvalidInput(
            f"plan {name}: {error.args[0]} is missing.", field=str(error.args[0])
        ) from error
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"plan {name}: {error}.", field="limits") from error
    except InvalidInput as error:
        if error.message.startswith("plan "):
            raise
        raise InvalidInput(
            f"plan {name}: {error.message}", error.hint, field=error.field, code=error.code
        ) from error
