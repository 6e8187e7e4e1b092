"""Plans: what a tenant bought, as data; and the limits that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flyball.errors import InvalidInput
from flyball.identity import check_identifier, check_word
from flyball.limit import (
    MAX_LIMIT,
    WINDOW_SECONDS,
    Limit,
    LimitKind,
    MeterLimit,
    limit_from,
    whole_number,
)

__all__ = [
    "MAX_LIMIT",
    "WINDOW_SECONDS",
    "Limit",
    "LimitKind",
    "MeterLimit",
    "Plan",
    "check_currency",
    "plan_from",
]


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

    def meter_limits(self, primary: Limit) -> tuple[MeterLimit, ...]:
        """Every limit, the primary meter's first and as given (accounts may have their own)."""
        others = (
            MeterLimit(m, limit) for m, limit in self.limits.items() if m != self.primary_meter
        )
        return (MeterLimit(self.primary_meter, primary), *others)


def check_currency(value: object) -> str:
    """Return ``value`` if it has the form of an ISO 4217 code (three capital letters)."""
    if not isinstance(value, str) or len(value) != 3 or not value.isascii() or not value.isalpha():
        raise InvalidInput(
            f"currency {str(value)[:16]!r} is not an ISO 4217 code.",
            "Write it like USD.",
            field="currency",
        )
    return value.upper()


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
            limits[check_word(meter, field="meter")] = limit_from(raw)
        entitlements = entry.get("entitlements") or {}
        if not isinstance(entitlements, Mapping):
            raise InvalidInput("entitlements must be an object.", field="entitlements")
        return Plan(
            plan=name,
            rank=whole_number(entry["rank"], name="rank"),
            monthly_price_minor=whole_number(
                entry["monthly_price_minor"], name="monthly_price_minor"
            ),
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
