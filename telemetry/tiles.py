"""Usage folded by hour and by day: kept on disk per arrival day, folded anew only where changed.

A partition is an arrival day. Its fingerprint names everything that its tiles depend on: the
history files with rows that arrived that day, the limits in force up to its end, and the meters.
Day tiles are kept for every day; hour tiles only for days that someone asks about in their midst.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from flyball.errors import ReadOnlyHome
from flyball.home import Home
from flyball.instant import DAY_US
from telemetry.history_files import HistoryFile, day_text, paths_of
from telemetry.parquet_file import parquet_relation, sync_directories, write_parquet
from telemetry.raw_usage import read_raw
from telemetry.tile_columns import COLUMNS, empty_relation
from telemetry.tile_fold import fold
from telemetry.tile_manifest import TileFile, TileManifest, TileState

#: Raw rows folded at a time; bounds memory at a few hundred megabytes.
FOLD_ROWS = 1_000_000

#: Bumped whenever the fold changes what it computes.
FOLD_VERSION = "2"

#: Raw rows folded so far, and in total.
Progress = Callable[[int, int], None]

#: (relation, arrival day)
_Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did: arrival days folded and dropped, tile rows written."""

    folded_days: tuple[int, ...]
    dropped_days: tuple[int, ...]
    row_count: int


class Tiles:
    """The tiles of one home.

    Parameters
    ----------
    home:
        Where history and tiles lie.
    limits:
        pyarrow table of :data:`telemetry.tile_fold.LIMIT_SCHEMA`: the limit of each tenant's
        primary meter from an hour on.
    """

    def __init__(self, home: Home, limits: Any) -> None:
        self._home = home
        self._limits = limits
        self._manifest = TileManifest(home)

    def refresh(
        self, *, hour_days: Collection[int] = (), progress: Progress | None = None
    ) -> Refreshed:
        """Fold what changed in the sealed history and make it durable. Idempotent.

        Parameters
        ----------
        hour_days:
            Arrival days that need hour tiles as well.
        progress:
            Called with raw rows folded so far and in total.

        Raises
        ------
        StorageError
            Tiles are what they were before, or whole days further.
        """
        with self._manifest.writing() as state:
            wanted = self._fingerprints(state)
            dropped = [key for key in state.tiles if key[1] not in wanted]
            keys = [("day", day) for day in wanted]
            keys += [("hour", day) for day in set(hour_days) & wanted.keys()]
            stale = _stale(state, wanted, keys)
            rows = self._fold_and_write(state, stale, wanted, progress)
            self._manifest.drop(dropped)
        return Refreshed(
            tuple(sorted({day for _, day in stale})),
            tuple(sorted({day for _, day in dropped})),
            rows,
        )

    def register(
        self,
        connection: Any,
        *,
        now_us: int | None = None,
        live: bool = False,
        as_of_hours: Iterable[int] | None = None,
    ) -> None:
        """Create ``usage_hour`` and ``usage_day`` in a DuckDB connection.

        Everything that is stored counts: what changed in the sealed history is folded first, and
        events that are not sealed yet are folded in memory.

        Parameters
        ----------
        now_us:
            Leave out rows of later arrival hours and days (µs). None: keep all.
        live:
            Make tables in memory, with the hour tiles of the day of ``now_us`` alone: all that
            as-of times on that day need.
        as_of_hours:
            The as-of hours that will be asked for. Only those inside a day need hour tiles, which
            are costly to fold for long histories. None: any hour may be asked for.
        """
        state = self._manifest.read()
        days = {day for file in state.files for day in file.arrivals} | state.unsealed_days
        hour_days = _hour_days(days, now_us, live, as_of_hours)
        open_days = state.unsealed_days
        # On a home that cannot be written, everything that changed is folded in memory below.
        with contextlib.suppress(ReadOnlyHome):
            if state.files:
                self.refresh(hour_days=hour_days - open_days)
        state = self._manifest.read()
        wanted = self._fingerprints(state)
        keys = [("day", day) for day in days] + [("hour", day) for day in hour_days]
        stale = [key for key in keys if key[1] in state.unsealed_days]
        stale += [k for k in _stale(state, wanted, keys) if k[1] not in state.unsealed_days]
        self._fold_in_memory(connection, state, stale)
        fresh = sorted(set(keys) - set(stale))
        for relation in ("hour", "day"):
            self._create(connection, state, relation, fresh, now_us=now_us, live=live)

    def _create(
        self,
        connection: Any,
        state: TileState,
        relation: str,
        fresh: Sequence[_Key],
        *,
        now_us: int | None,
        live: bool,
    ) -> None:
        columns = COLUMNS[relation]
        paths = [
            self._home.tiles / relation / state.tiles[key].name
            for key in fresh
            if key[0] == relation
        ]
        listed = ", ".join(columns)
        on_disk = parquet_relation(paths, listed, empty_relation(columns))
        _drop(connection, f"usage_{relation}")
        connection.execute(
            f"CREATE {'TABLE' if live else 'VIEW'} usage_{relation} AS"
            f" SELECT {listed} FROM ({on_disk} UNION ALL"
            f" SELECT {listed} FROM unsealed_usage_{relation}) {_bound(relation, now_us)}"
        )

    def _fingerprints(self, state: TileState) -> dict[int, str]:
        by_day: dict[int, list[str]] = {}
        for file in state.files:
            for day in file.arrivals:
                by_day.setdefault(day, []).append(file.name)
        limits = _limits_up_to(self._limits, sorted(by_day))
        kinds = repr(
            sorted((m.name, m.counts, m.resolution_seconds) for m in state.meters.values())
        )
        return {
            day: hashlib.blake2b(
                "\x1f".join((FOLD_VERSION, kinds, limits[day], *sorted(names))).encode(),
                digest_size=12,
            ).hexdigest()
            for day, names in by_day.items()
        }

    def _fold_and_write(
        self,
        state: TileState,
        stale: Sequence[_Key],
        wanted: Mapping[int, str],
        progress: Progress | None,
    ) -> int:
        days = sorted({day for _, day in stale})
        hour_days = {day for relation, day in stale if relation == "hour"}
        weight = {day: sum(file.arrivals.get(day, 0) for file in state.files) for day in days}
        total, done, written = sum(weight.values()), 0, 0
        for group in _grouped(days, weight):
            folded = fold(self._raw(state.files, group), self._limits, state.meters)
            for relation, chosen in (("day", set(group)), ("hour", hour_days & set(group))):
                if chosen:
                    written += self._write(folded.table(relation), relation, chosen, wanted)
            done += sum(weight[day] for day in group)
            if progress is not None:
                progress(done, total)
        return written

    def _raw(self, files: Sequence[HistoryFile], days: Collection[int], also: Any = None) -> Any:
        """The raw rows that arrived on ``days``; ``also`` is a table of more of them."""
        wanted = set(days)
        sources = [file for file in files if wanted & file.arrivals.keys()]
        others = () if also is None else (also,)
        table = read_raw(paths_of(self._home, sources), *others)
        if also is None and not any(file.arrivals.keys() - wanted for file in sources):
            return table
        arrived = table.column("arrived_us").to_numpy()
        happened = table.column("time_us").to_numpy()
        return table.filter(np.isin(np.maximum(arrived, happened) // DAY_US, sorted(wanted)))

    def _write(
        self, table: Any, relation: str, days: Collection[int], wanted: Mapping[int, str]
    ) -> int:
        folder = self._home.tiles / relation

        def write(day: int) -> TileFile:
            name = f"{day_text(day)}-{wanted[day]}.parquet"
            rows = _arrived(table, relation, day)
            write_parquet(rows, folder / name, use_dictionary=["tenant_id", "meter"])
            return TileFile(relation, day, wanted[day], name, rows.num_rows)

        with ThreadPoolExecutor(max_workers=2) as pool:
            files = list(pool.map(write, sorted(days)))
        sync_directories([folder])
        self._manifest.replace(files)
        return sum(file.row_count for file in files)

    def _fold_in_memory(self, connection: Any, state: TileState, keys: Sequence[_Key]) -> None:
        for relation, columns in COLUMNS.items():
            connection.execute(
                f"CREATE OR REPLACE TABLE unsealed_usage_{relation} AS {empty_relation(columns)}"
            )
        for group in _grouped({day for _, day in keys}, {}):
            raw = self._raw(state.files, group, also=state.unsealed)
            folded = fold(raw, self._limits, state.meters)
            for relation, columns in COLUMNS.items():
                days = {day for kind, day in keys if kind == relation} & set(group)
                if not days:
                    continue
                table = folded.table(relation)
                parts = [_arrived(table, relation, day) for day in sorted(days)]
                connection.register("folded_tile", pa.concat_tables(parts))
                connection.execute(
                    f"INSERT INTO unsealed_usage_{relation}"
                    f" SELECT {', '.join(columns)} FROM folded_tile"
                )
                connection.unregister("folded_tile")


def _arrived(table: Any, relation: str, day: int) -> Any:
    """The rows of one arrival day of a table in order of arrival days."""
    arrival = table.column(f"arrival_{relation}").to_numpy()
    days = arrival // 24 if relation == "hour" else arrival
    first, last = np.searchsorted(days, (day, day + 1))
    return table.slice(first, last - first)


def _stale(state: TileState, wanted: Mapping[int, str], keys: Iterable[_Key]) -> list[_Key]:
    kept = {key: tile.fingerprint for key, tile in state.tiles.items()}
    return sorted(key for key in keys if kept.get(key) != wanted.get(key[1], ""))


def _hour_days(
    days: Collection[int], now_us: int | None, live: bool, as_of_hours: Iterable[int] | None
) -> set[int]:
    if live and now_us is not None:
        return {now_us // DAY_US} & set(days)
    if as_of_hours is None:
        return set(days)
    return {hour // 24 for hour in as_of_hours if hour % 24} & set(days)


def _limits_up_to(limits: Any, days: Sequence[int]) -> dict[int, str]:
    """Per day a digest of the limits that its events can meet; order of rows does not matter."""
    connection = duckdb.connect()
    try:
        connection.register("limits", limits)
        changes = connection.execute(
            "SELECT from_hour // 24 AS day, sum(hash(tenant_id, meter, from_hour, base_limit,"
            " window_seconds)::HUGEINT) FROM limits GROUP BY day ORDER BY day"
        ).fetchall()
    finally:
        connection.close()
    digests: dict[int, str] = {}
    total, position = 0, 0
    for day in days:
        while position < len(changes) and changes[position][0] <= day:
            total += int(changes[position][1])
            position += 1
        digests[day] = str(total)
    return digests


def _grouped(days: Iterable[int], weight: Mapping[int, int]) -> Iterable[list[int]]:
    group: list[int] = []
    rows = 0
    for day in sorted(days):
        if group and rows + weight.get(day, 0) > FOLD_ROWS:
            yield group
            group, rows = [], 0
        group.append(day)
        rows += weight.get(day, 0)
    if group:
        yield group


def _bound(relation: str, now_us: int | None) -> str:
    if now_us is None:
        return ""
    length = DAY_US if relation == "day" else DAY_US // 24
    return f"WHERE arrival_{relation} <= {now_us // length}"


def _drop(connection: Any, name: str) -> None:
    for kind in ("VIEW", "TABLE"):
        try:
            connection.execute(f"DROP {kind} IF EXISTS {name}")
        except duckdb.CatalogException:
            continue  # it is the other kind
