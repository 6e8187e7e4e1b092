"""Raw events as columns of numbers: names become codes whose order is that of the names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from telemetry.tile_columns import UNIT_STEPS

Array = npt.NDArray[Any]

#: What the fold reads of an event.
RAW_COLUMNS = ("tenant_id", "meter", "time_us", "arrived_us", "quantity")

_NAME = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(
    zip(RAW_COLUMNS, (_NAME, _NAME, pa.int64(), pa.int64(), pa.float64()), strict=True)
)


@dataclass(frozen=True, slots=True)
class RawUsage:
    """Events, one per position of every array.

    Parameters
    ----------
    tenants, meters:
        Names, sorted; ``tenant`` and ``meter`` are positions in them.
    time_us, arrived_us:
        When it happened and when it arrived, which is never before it happened (µs).
    quantity, units:
        The quantity, and the same in whole steps of 2**-10.
    """

    tenants: Any
    meters: Any
    tenant: Array
    meter: Array
    time_us: Array
    arrived_us: Array
    quantity: Array
    units: Array

    @classmethod
    def of_table(cls, table: Any) -> RawUsage:
        """From a pyarrow table with :data:`RAW_COLUMNS`; names may be dictionary-encoded."""
        tenants, tenant = _encoded(table.column("tenant_id"))
        meters, meter = _encoded(table.column("meter"))
        time_us = table.column("time_us").to_numpy()
        quantity = table.column("quantity").to_numpy()
        arrived_us = np.maximum(table.column("arrived_us").to_numpy(), time_us)
        return cls(
            tenants, meters, tenant, meter, time_us, arrived_us, quantity,
            np.rint(quantity * UNIT_STEPS).astype(np.int64),
        )  # fmt: skip

    @property
    def meter_codes(self) -> Mapping[str, int]:
        """Position of each meter in :attr:`meters`."""
        return {name: code for code, name in enumerate(self.meters.to_pylist())}

    def naming(self, meters: Collection[str]) -> RawUsage:
        """These events, with codes for ``meters`` whether they occur or not."""
        names = sorted({*self.meters.to_pylist(), *meters})
        code = np.array([names.index(name) for name in self.meters.to_pylist()], np.int64)
        return replace(self, meters=pa.array(names, pa.string()), meter=code[self.meter])

    def plus(self, positions: Array, meter: Array) -> RawUsage:
        """These events and, once more, those at ``positions`` as events of other meters."""

        def again(values: Array) -> Array:
            return np.concatenate((values, values[positions]))

        return RawUsage(
            self.tenants, self.meters, again(self.tenant), np.concatenate((self.meter, meter)),
            again(self.time_us), again(self.arrived_us), again(self.quantity), again(self.units),
        )  # fmt: skip


def read_raw(paths: Sequence[Path], *others: Any) -> Any:
    """One pyarrow table of :data:`RAW_COLUMNS` of Parquet files of history and of other tables."""
    # Loaded here: servers that only name files do without it.
    import pyarrow.parquet as pq

    columns = list(RAW_COLUMNS)
    tables = [table.select(columns) for table in others]
    for path in paths:
        with pq.ParquetFile(path, read_dictionary=columns[:2], memory_map=True) as file:
            tables.append(file.read(columns=columns, use_threads=False))
    return pa.concat_tables([_SCHEMA.empty_table(), *(table.cast(_SCHEMA) for table in tables)])


def _encoded(column: Any) -> tuple[Any, Array]:
    """Sorted distinct names of a string column, and each row's position in them."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if not len(column):
        return pa.array([], pa.string()), np.empty(0, np.int64)
    column = column.unify_dictionaries()
    names = column.chunk(0).dictionary
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in column.chunks])
    order = pc.array_sort_indices(names).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return names.take(pa.array(order)), rank[codes]
