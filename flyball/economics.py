"""Money: the vendor's economics, and a tenant's worth over the value horizon."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from flyball.currency import minor_exponent
from flyball.errors import InvalidInput
from flyball.plan import check_currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Economics:
    """``economics.json``: what a request costs and what a month of revenue is worth.

    Parameters
    ----------
    currency:
        The currency that values are expressed in.
    margin:
        Share of revenue that is kept (0..1).
    value_horizon_weeks:
        How far ahead money counts (1..520 weeks).
    discount_per_year:
        Yearly discount rate (0..1).
    unit_cost_minor:
        Meter to cost of one unit, in minor units of ``currency``.
    support_cost_minor:
        Cost of one support contact, in minor units.
    fx:
        Other currency to units of ``currency`` per unit of it.
    """

    currency: str = "USD"
    margin: float = 0.8
    value_horizon_weeks: int = 52
    discount_per_year: float = 0.1
    unit_cost_minor: Mapping[str, float] = field(default_factory=dict)
    support_cost_minor: float = 0.0
    fx: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_currency(self.currency)
        checks = (
            ("margin", 0.0 <= self.margin <= 1.0),
            ("value_horizon_weeks", 1 <= self.value_horizon_weeks <= 520),
            ("discount_per_year", 0.0 <= self.discount_per_year <= 1.0),
            ("support_cost_minor", 0.0 <= self.support_cost_minor < math.inf),
            ("unit_cost_minor", all(0.0 <= v < math.inf for v in self.unit_cost_minor.values())),
            ("fx", all(0.0 < v < math.inf for v in self.fx.values())),
        )
        for name, fine in checks:
            if not fine:
                raise InvalidInput(f"economics: {name} is out of range.", field=name)

    def convert_minor(self, amount_minor: float, currency: str) -> float | None:
        """``amount_minor`` of ``currency`` in minor units of ours; None without a rate.

        Rates are between whole units, so yen (no minor unit) and dollars (cents) differ by 100.
        """
        if currency == self.currency:
            return amount_minor
        rate = self.fx.get(currency)
        if rate is None:
            return None
        places = minor_exponent(self.currency) - minor_exponent(currency)
        return amount_minor * rate * 10.0**places


def economics_from(entry: object) -> Economics:
    """Read ``economics.json``; raises InvalidInput naming the field."""
    if not isinstance(entry, Mapping):
        raise InvalidInput("economics.json must hold one JSON object.", field="economics")
    known = set(Economics.__dataclass_fields__)
    unknown = sorted(set(map(str, entry)) - known)
    if unknown:
        raise InvalidInput(
            f"economics.json has unknown fields: {', '.join(unknown)}.",
            f"Known are: {', '.join(sorted(known))}.",
            field=unknown[0],
        )
    try:
        values = dict(entry)
        for name in ("margin", "discount_per_year", "support_cost_minor"):
            if name in values:
                values[name] = float(values[name])
        if "value_horizon_weeks" in values:
            values["value_horizon_weeks"] = int(values["value_horizon_weeks"])
        for name in ("unit_cost_minor", "fx"):
            if name in values:
                values[name] = {str(key): float(cost) for key, cost in dict(values[name]).items()}
        return Economics(**values)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"economics.json: {error}.", field="economics") from error
