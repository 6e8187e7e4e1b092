"""Money of other currencies becomes ours, whatever their smallest unit is."""

from __future__ import annotations

import pytest

from flyball.currency import minor_exponent
from flyball.economics import Economics

DOLLARS = Economics(currency="USD", fx={"EUR": 1.08, "JPY": 0.0065, "KWD": 3.25})


@pytest.mark.parametrize(
    ("amount", "currency", "cents"),
    [
        (1_000, "USD", 1_000),  # 10.00 dollars
        (1_000, "EUR", 1_080),  # 10.00 euros
        (1_000, "JPY", 650),  # 1,000 yen have no smaller unit
        (1_000, "KWD", 325),  # 1.000 dinar
    ],
)
def test_an_amount_is_converted_between_smallest_units(
    amount: int, currency: str, cents: float
) -> None:
    assert DOLLARS.convert_minor(amount, currency) == pytest.approx(cents)


def test_dollars_become_yen_without_decimals() -> None:
    yen = Economics(currency="JPY", fx={"USD": 150.0})
    assert yen.convert_minor(1_000, "USD") == pytest.approx(1_500)


def test_without_a_rate_nothing_is_guessed() -> None:
    assert DOLLARS.convert_minor(1_000, "CHF") is None


def test_a_currency_has_two_places_unless_the_standard_says_otherwise() -> None:
    assert [minor_exponent(code) for code in ("USD", "JPY", "BHD", "CLF")] == [2, 0, 3, 4]
