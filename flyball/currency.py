"""Minor units: how many decimal places a currency's smallest unit has (ISO 4217, exponents)."""

from __future__ import annotations

#: Currencies whose exponent is not 2 (ISO 4217, list one).
_EXPONENTS = {
    **dict.fromkeys(
        (
            "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"  # no minor unit
        ).split(),
        0,
    ),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}


def minor_exponent(currency: str) -> int:
    """Decimal places between a unit of ``currency`` and its minor unit: 2 for USD, 0 for JPY."""
    return _EXPONENTS.get(currency, 2)
