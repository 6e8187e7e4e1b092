"""Minor units: how many decimal places a currency's smallest unit has (ISO 4217, exponents)."""

from __future__ import annotations

_WITHOUT_MINOR_UNIT = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"}
    | {"RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_IN_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_IN_TEN_THOUSANDTHS = frozenset({"CLF", "UYW"})


def minor_exponent(currency: str) -> int:
    """Decimal places between a unit of ``currency`` and its minor unit: 2 for USD, 0 for JPY."""
    if currency in _WITHOUT_MINOR_UNIT:
        return 0
    if currency in _IN_THOUSANDTHS:
        return 3
    return 4 if currency in _IN_TEN_THOUSANDTHS else 2
