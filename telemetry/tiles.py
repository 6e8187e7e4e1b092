"""Usage folded by hour and by day: kept on disk per arrival day, folded anew only where changed.

A partition is an arrival day. Its fingerprint names everything that its tiles depend on: the
history files with rows that arrived that day, the limits in force up to its end, and the meters.
Day tiles are kept for every day; hour tiles only for days that someone asks about in their midst.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from flyball.errors import ReadOnlyHome
from flyball.home import Home
from flyball.instant import DAY_US
from telemetry.arrivals import Arrivals
from telemetry.parquet_file import parquet_relation
from telemetry.tile_columns import COLUMNS, empty_relation
from telemetry.tile_manifest import TileManifest, TileState
from telemetry.tile_writer import Key, Progress, TileWriter, fold_days

#: Bumped whenever the fold changes what it computes.
FOLD_VERSION = "2"

#: Event days before an as-of day that anybody reads; earlier arrivals cannot lie among them.
LOOKBACK_DAYS = 30


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
        self._changes: list[tuple[int, int]] | None = None

    def refresh(
        self,
        *,
        days: Collection[int] | None = None,
        hour_days: Collection[int] = (),
        progress: Progress | None = None,
    ) -> Refreshed:
        """Fold what changed in the sealed history and make it durable. Idempotent.

        Parameters
        ----------
        days:
            Arrival days that are needed; others stay as they are. None: all of them.
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
            keys = [("day", day) for day in wanted if days is None or day in days]
            keys += [("hour", day) for day in set(hour_days) & wanted.keys()]
            stale = _stale(state, wanted, keys)
            writer = TileWriter(self._home, self._manifest, self._limits)
            rows = writer.write(state, stale, wanted, progress)
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
        events that are not sealed yet are folded in memory. Days that none of the as-of times looks
        back on are neither folded nor read.

        Parameters
        ----------
        now_us:
            Leave out rows of later arrival hours and days (µs). None: keep all.
        live:
            Make tables in memory, with the hour tiles of the day of ``now_us`` alone: all that
            as-of times on that day need.
        as_of_hours:
            The as-of hours that will be asked for, besides that of ``now_us``. Only those inside a
            day need hour tiles, which are costly to fold for long histories. None: any hour may be
            asked for.
        """
        state = self._manifest.read()
        days = {day for file in state.files for day in file.arrivals} | state.unsealed_days
        days = _looked_back_on(days, now_us, live, as_of_hours)
        hour_days = _hour_days(days, now_us, live, as_of_hours)
        open_days = state.unsealed_days & days
        # On a home that cannot be written, everything that changed is folded in memory below.
        with contextlib.suppress(ReadOnlyHome):
            if state.files:
                self.refresh(days=days - open_days, hour_days=hour_days - open_days)
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
        fresh: Sequence[Key],
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
        if self._changes is None:
            self._changes = _limit_changes(self._limits)
        limits = _limits_up_to(self._changes, sorted(by_day))
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

    def _fold_in_memory(self, connection: Any, state: TileState, keys: Sequence[Key]) -> None:
        for relation, columns in COLUMNS.items():
            connection.execute(
                f"CREATE OR REPLACE TABLE unsealed_usage_{relation} AS {empty_relation(columns)}"
            )
        arrivals = Arrivals(self._home, state.files)
        for group in arrivals.groups({day for _, day in keys}):
            wanted = [key for key in keys if key[1] in set(group)]
            raw = arrivals.batches(group, state.unsealed)
            for key, table in fold_days(raw, wanted, self._limits, state.meters).items():
                listed = ", ".join(COLUMNS[key[0]])
                connection.register("folded_tile", table)
                connection.execute(
                    f"INSERT INTO unsealed_usage_{key[0]} SELECT {listed} FROM folded_tile"
                )
                connection.unregister("folded_tile")


def _stale(state: TileState, wanted: Mapping[int, str], keys: Iterable[Key]) -> list[Key]:
    kept = {key: tile.fingerprint for key, tile in state.tiles.items()}
    return sorted(key for key in keys if kept.get(key) != wanted.get(key[1], ""))


def _looked_back_on(
    days: Collection[int], now_us: int | None, live: bool, as_of_hours: Iterable[int] | None
) -> set[int]:
    """Arrival days that the as-of times read; the newest one too, it tells how fresh usage is."""
    as_of_days = set() if now_us is None else {now_us // DAY_US}
    if as_of_hours is not None:
        as_of_days |= {hour // 24 for hour in as_of_hours}
    if not as_of_days or (as_of_hours is None and not live):
        return set(days)
    read = {day - back for day in as_of_days for back in range(LOOKBACK_DAYS + 1)}
    newest = [day for day in days if day <= max(as_of_days)]
    return (read & set(days)) | set(newest and [max(newest)])


def _hour_days(
    days: Collection[int], now_us: int | None, live: bool, as_of_hours: Iterable[int] | None
) -> set[int]:
    if live and now_us is not None:
        return {now_us // DAY_US} & set(days)
    if as_of_hours is None:
        return set(days)
    return {hour // 24 for hour in as_of_hours if hour % 24} & set(days)


def _limit_changes(limits: Any) -> list[tuple[int, int]]:
    """Days on which limits change, and a digest of each day's; order of rows does not matter."""
    connection = duckdb.connect()
    try:
        connection.register("limits", limits)
        return list(
            connection.execute(
                "SELECT from_hour // 24 AS day, sum(hash(tenant_id, meter, from_hour, base_limit,"
                " window_seconds)::HUGEINT) FROM limits GROUP BY day ORDER BY day"
            ).fetchall()
        )
    finally:
        connection.close()


def _limits_up_to(changes: Sequence[tuple[int, int]], days: Sequence[int]) -> dict[int, str]:
    """Per day a digest of the limits that its events can meet."""
    digests: dict[int, str] = {}
    total, position = 0, 0
    for day in days:
        while position < len(changes) and changes[position][0] <= day:
            total += int(changes[position][1])
            position += 1
        digests[day] = str(total)
    return digests


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
