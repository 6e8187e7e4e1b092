"""Folding stale arrival days and writing their tiles, one group while the next is folded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa

from flyball.home import Home
from flyball.meter import Meter
from telemetry.arrivals import Arrivals
from telemetry.history_files import day_text
from telemetry.parquet_file import sync_directories, write_parquet
from telemetry.tile_fold import fold
from telemetry.tile_manifest import TileFile, TileManifest, TileState

#: Raw rows folded so far, and in total.
Progress = Callable[[int, int], None]

#: (relation, arrival day)
Key = tuple[str, int]

#: Groups under way at a time: NumPy, Arrow and the disk work beside each other.
_WORKERS = 2


def fold_days(
    batches: Iterable[Any], keys: Collection[Key], limits: Any, meters: Mapping[str, Meter]
) -> dict[Key, Any]:
    """Tiles of each of ``keys``, from raw rows in batches that share no event day."""
    parts: dict[Key, list[Any]] = {key: [] for key in keys}
    for batch in batches:
        folded = fold(batch, limits, meters)
        tables = {relation: folded.table(relation) for relation in {key[0] for key in keys}}
        for (relation, day), found in parts.items():
            found.append(_arrived(tables[relation], relation, day))
    return {key: pa.concat_tables(found) for key, found in parts.items() if found}


class TileWriter:
    """Folds and writes the stale tiles of one home, while no other process does.

    Parameters
    ----------
    home, manifest:
        Where tiles lie, and what says which count.
    limits:
        pyarrow table of :data:`telemetry.limit_spans.LIMIT_SCHEMA`.
    """

    def __init__(self, home: Home, manifest: TileManifest, limits: Any) -> None:
        self._home, self._manifest, self._limits = home, manifest, limits

    def write(
        self,
        state: TileState,
        stale: Collection[Key],
        fingerprints: Mapping[int, str],
        progress: Progress | None = None,
    ) -> int:
        """Write the tiles of ``stale``; returns their rows. Whole groups of days become true."""
        arrivals = Arrivals(self._home, state.files)
        weight = arrivals.weight({day for _, day in stale})
        done, written = 0, 0
        running: deque[tuple[list[int], Future[list[TileFile]]]] = deque()

        def settle() -> None:
            nonlocal done, written
            group, future = running.popleft()
            files = future.result()
            self._manifest.replace(files)
            written += sum(file.row_count for file in files)
            done += sum(weight[day] for day in group)
            if progress is not None:
                progress(done, sum(weight.values()))

        with ThreadPoolExecutor(_WORKERS) as pool:
            for group in arrivals.groups(weight):
                keys = [key for key in stale if key[1] in set(group)]
                batches = arrivals.batches(group)
                ahead = list(islice(batches, 2))
                running.append(
                    (
                        group,
                        pool.submit(
                            self._fold, chain(ahead, batches), keys, state.meters, fingerprints
                        ),
                    )
                )
                # A day of many batches reads on while it is folded: nobody else may read then.
                while len(running) > (_WORKERS if len(ahead) < 2 else 0):
                    settle()
            while running:
                settle()
        return written

    def _fold(
        self,
        batches: Iterable[Any],
        keys: Collection[Key],
        meters: Mapping[str, Meter],
        fingerprints: Mapping[int, str],
    ) -> list[TileFile]:
        files: list[TileFile] = []
        for (relation, day), table in fold_days(batches, keys, self._limits, meters).items():
            name = f"{day_text(day)}-{fingerprints[day]}.parquet"
            write_parquet(
                table,
                self._home.tiles / relation / name,
                compression="lz4",
                compression_level=None,
                use_dictionary=["tenant_id", "meter"],
            )
            files.append(TileFile(relation, day, fingerprints[day], name, table.num_rows))
        sync_directories(self._home.tiles / file.relation for file in files)
        return files


def _arrived(table: Any, relation: str, day: int) -> Any:
    """The rows of one arrival day of a table in order of arrival days."""
    arrival = table.column(f"arrival_{relation}").to_numpy()
    days = arrival // 24 if relation == "hour" else arrival
    first, last = np.searchsorted(days, (day, day + 1))
    return table.slice(first, last - first)
