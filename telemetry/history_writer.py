"""New rows of the history: one file an event day, all of them history in one transaction."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from flyball.home import Home
from flyball.instant import DAY_US
from telemetry.database import open_database, storage_errors, transaction
from telemetry.history_files import HistoryFile, add_files, file_name
from telemetry.parquet_file import sync_directories, write_parquet

_ENCODINGS = {
    "time_us": "DELTA_BINARY_PACKED",
    "arrived_us": "DELTA_BINARY_PACKED",
    "event_id": "PLAIN",
    "quantity": "PLAIN",
    "key": "PLAIN",
}
_DICTIONARIES = ["tenant_id", "source", "meter", "endpoint"]


class HistoryWriter:
    """Adds rows to the history of one home.

    Parameters
    ----------
    origin:
        Unique name of the import or seal that writes.
    """

    def __init__(self, home: Home, origin: str, key_kind: str) -> None:
        self._home = home
        self._origin = origin
        self._key_kind = key_kind
        self._number = 0

    def write(self, rows: Any) -> list[HistoryFile]:
        """Write a pyarrow table sorted by ``event_day`` into files that do not count yet.

        Raises
        ------
        StorageError
            Files written so far are left over and swept by the next writer.
        """
        days = rows.column("event_day").to_numpy()
        starts = np.concatenate(([0], np.flatnonzero(np.diff(days)) + 1, [len(days)]))
        jobs = []
        for start, end in itertools.pairwise(starts):
            if end > start:
                self._number += 1
                name = file_name(int(days[start]), self._origin, self._number)
                jobs.append((name, rows.slice(start, end - start).drop_columns(["event_day"])))
        with ThreadPoolExecutor(max_workers=2) as pool:
            files = list(pool.map(lambda job: self._write_one(*job), jobs))
        sync_directories((self._home.history / file.name).parent for file in files)
        if files:
            sync_directories([self._home.history])
        return files

    def _write_one(self, name: str, table: Any) -> HistoryFile:
        write_parquet(
            table,
            self._home.history / name,
            use_dictionary=_DICTIONARIES,
            column_encoding=_ENCODINGS,
        )
        arrived = np.maximum(
            table.column("arrived_us").to_numpy(), table.column("time_us").to_numpy()
        )
        days, counts = np.unique(arrived // DAY_US, return_counts=True)
        return HistoryFile(
            name=name,
            event_day=int(table.column("time_us")[0].as_py()) // DAY_US,
            row_count=table.num_rows,
            key_kind=self._key_kind,
            origin=self._origin,
            arrivals={int(d): int(c) for d, c in zip(days, counts, strict=True)},
        )

    def commit(
        self,
        files: Sequence[HistoryFile],
        also: Callable[[Any], None] = lambda _: None,
        *,
        new_usage: bool = True,
    ) -> None:
        """Make ``files`` history and do ``also`` in the same transaction.

        ``new_usage``: see :func:`telemetry.history_files.add_files`.
        """
        connection = open_database(self._home.events)
        try:
            with storage_errors(self._home.events), transaction(connection):
                if files:
                    add_files(connection, files, new_usage=new_usage)
                also(connection)
        finally:
            connection.close()
