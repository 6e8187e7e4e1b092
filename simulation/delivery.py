"""How usage reaches the vendor: mostly at once, some late, a few twice, hardly any never."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simulation.calendar_week import HOUR_US, HOURS, first_hour
from simulation.catalogue import DAILY_METERS
from simulation.chance import Stream, generator
from simulation.week import Week

_LOST = 0.0005
_TWICE = 0.0025
_LATE = 0.98
#: A counter is flushed in the last second of its span.
_FLUSH_US = 1_000_000

INSTANT = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("tenant_id", pa.string()),
        ("time", INSTANT),
        ("meter", pa.string()),
        ("quantity", pa.float64()),
        ("ingested_at", INSTANT),
    ]
)


@dataclass(frozen=True, slots=True)
class _Spans:
    """Events of one meter: tenant rows, span starts (hours) and quantities, all ``[k]``."""

    rows: NDArray[np.int64]
    hours: NDArray[np.int64]
    quantity: NDArray[np.float64]
    length_hours: int
    code: str
    meter: str


def _named(values: list[str], index: NDArray[np.int64]) -> pa.Array:
    taken = pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), pa.array(values))
    return taken.cast(pa.string())


def _hourly(lived: Week, quantity: NDArray[np.float64], code: str, meter: str) -> _Spans:
    start = first_hour(lived.week)
    quantity = quantity.copy()
    quantity[:, : lived.from_hour - start] = 0.0
    quantity[:, lived.until_hour - start :] = 0.0
    rows, hours = np.nonzero(quantity)
    return _Spans(rows, hours + start, quantity[rows, hours], 1, code, meter)


def _daily(
    lived: Week, quantity: NDArray[np.float64], code: str, created: NDArray[np.int64]
) -> _Spans:
    """A day is told when it is over, and belongs to the record in which it ends."""
    start = first_hour(lived.week)
    days = start + 24 * np.arange(7)[None, :]
    left = np.where(lived.outcome == 2, lived.outcome_hour, 2**40)[:, None]
    present = lived.here[:, None] | (created[:, None] >= start)
    told = present & (days >= created[:, None]) & (days + 24 <= left)
    told &= (days + 24 > lived.from_hour) & (days + 24 <= lived.until_hour)
    rows, day = np.nonzero(told & (quantity > 0))
    return _Spans(rows, start + 24 * day, quantity[rows, day], 24, code, DAILY_METERS[code])


def _table(spans: _Spans, tenant_ids: list[str], arrival: NDArray[np.int64]) -> pa.Table:
    distinct, which = np.unique(spans.hours, return_inverse=True)
    names = [f"{spans.code}-{hour}" for hour in distinct.tolist()]
    return pa.table(
        {
            "id": _named(names, which),
            "tenant_id": _named(tenant_ids, spans.rows),
            "time": pa.array(spans.hours * HOUR_US).cast(INSTANT),
            "meter": pa.repeat(pa.scalar(spans.meter), len(which)),
            "quantity": pa.array(spans.quantity),
            "ingested_at": pa.array(arrival).cast(INSTANT),
        },
        schema=SCHEMA,
    )


def _deliver(
    spans: _Spans, tenant_ids: list[str], u: NDArray[np.float64]
) -> tuple[pa.Table, pa.Table]:
    """The events that arrive, and the ones among them that arrive a second time."""
    over = (spans.hours + spans.length_hours) * HOUR_US
    # From an hour to four days late, mostly hours.
    delay = np.where(u > _LATE, 1.0 + 96.0 * ((u - _LATE) / (1 - _LATE)) ** 3, 0.0)
    arrival = over - _FLUSH_US + (delay * HOUR_US).astype(np.int64)
    table = _table(spans, tenant_ids, arrival)
    kept = table.filter(pa.array(u >= _LOST))
    again = table.filter(pa.array((u >= _LOST) & (u < _TWICE)))
    return kept, again


def usage_of(lived: Week, tenant_ids: list[str], created: NDArray[np.int64], seed: int) -> pa.Table:
    """All usage events of a week as they will arrive, duplicates included, by tenant and time.

    The caller cuts by ``ingested_at``: some of them arrive after the record's end.
    """
    luck = generator(seed, Stream.DELIVERY, lived.week).random((len(lived.arm), HOURS))
    start = first_hour(lived.week)
    parts = [
        _hourly(lived, lived.demand, "rq", "api.requests"),
        _hourly(lived, lived.refused, "bl", "api.blocked"),
        *(_daily(lived, amount, code, created) for code, amount in lived.activity.items()),
    ]
    tables: list[pa.Table] = []
    for spans in parts:
        column = spans.hours - start
        tables.extend(_deliver(spans, tenant_ids, luck[spans.rows, column]))
    return pa.concat_tables(tables)


def split_at(table: pa.Table, end_hour: int) -> tuple[pa.Table, pa.Table]:
    """Rows that have arrived before ``end_hour``, and those still on their way."""
    end = pa.scalar(end_hour * HOUR_US, pa.int64()).cast(INSTANT)
    arrived = pc.less(table["ingested_at"], end)
    return table.filter(arrived), table.filter(pc.invert(arrived))
