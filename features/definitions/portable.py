"""The expressions that definitions are made of: the subset that every engine computes alike.

Sums of CASE, largest, smallest, guarded division. Sums run over float64 values that are whole
multiples of 2**-10 (see ``flyball.meter.QUANTUM``), so their order never shows in the result.
"""

from __future__ import annotations

from typing import Any

import ibis

Expr = Any

#: Values of gauges (at most 1e15) fit below this bit; what orders them goes above it.
_VALUE_BITS = 1 << 50
#: One day in 2**8 slots of 337.5 s: 5 bits of day, 8 of slot and 50 of value fill a BIGINT.
_SLOTS = 256
_SLOT_US = 337_500_000
_DAY_US = 86_400_000_000
# Logarithms are summed in whole steps of 2**-30: float64 holds such sums exactly.
_LOG_STEPS = float(1 << 30)


def real(value: Expr) -> Expr:
    """``value`` as float64."""
    return value.cast("float64")


def when(condition: Expr, value: Expr, otherwise: Expr) -> Expr:
    """``value`` where ``condition`` is true, else ``otherwise`` (also where it is unknown)."""
    return ibis.cases((condition, value), else_=otherwise)


def nothing() -> Expr:
    """A missing float64."""
    return ibis.null("float64")


def total(value: Expr, where: Expr) -> Expr:
    """Sum of ``value`` over rows where ``where`` holds; 0 where none does."""
    return when(where, real(value), 0.0).sum()


def rows(where: Expr) -> Expr:
    """Number of rows where ``where`` holds."""
    return real(ibis.cases((where, 1)).count())


def largest(value: Expr, where: Expr) -> Expr:
    """Largest ``value`` over rows where ``where`` holds; missing where none does."""
    return ibis.cases((where, value)).max()


def ratio(part: Expr, whole: Expr) -> Expr:
    """``part / whole``; missing where ``whole`` is not above 0."""
    return when(whole > 0.0, part / whole, nothing())


def log_total(value: Expr, where: Expr) -> Expr:
    """Sum of ln(1 + value) where ``where`` holds, in steps of 2⁻³⁰: exact in any order."""
    steps = (log1p(value) * _LOG_STEPS + 0.5).floor()
    return total(steps, where) / _LOG_STEPS


def typical(log_sum: Expr, count: Expr) -> Expr:
    """The geometric mean behind a :func:`log_total` of ``count`` rows; missing where there is none.

    Portable and one pass, unlike a median, and hardly moved by a few huge values, unlike a mean.
    """
    return ratio(log_sum, count).exp() - 1.0


def change(now: Expr, before: Expr) -> Expr:
    """Symmetric relative change in [-1, 1]: (now - before) / (now + before)."""
    return ratio(now - before, now + before)


def log1p(value: Expr) -> Expr:
    """Natural logarithm of 1 + value, for quantities that span orders of magnitude."""
    return (real(value) + 1.0).ln()


def packed(value: Expr, at_us: Expr, day: Expr, day_number: Expr) -> Expr:
    """Day number (0..31), time of day and value in one BIGINT, so that MAX finds the last value.

    Portable and one hash aggregate, where ``row_number`` would sort every row. Times are told
    apart to 5.6 minutes; of values in one such slot the larger wins; fractions are cut.
    """
    slot = (at_us - day * _DAY_US) // _SLOT_US
    return (day_number * _SLOTS + slot) * _VALUE_BITS + value.floor().cast("int64")


def unpacked(packed: Expr) -> Expr:
    """The value inside a :func:`packed` number, as float64."""
    return real(packed % _VALUE_BITS)
