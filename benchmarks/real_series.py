"""Real request series as tenants: read, put side by side in time, find their spikes, export."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_S = 3600
_WEEK_H = 168

#: An hour is in a real spike from this multiple of the usual busiest hour on. The product's rule
#: starts at 3 times what its features hold for usual; the margin is for telling usual otherwise.
SPIKE_TIMES = 4.0
#: Whole days of past that "usual" needs, and how many it looks back on.
USUAL_DAYS_MIN, USUAL_DAYS = 7, 28
#: A series shorter than this has no past to speak of.
MIN_DAYS = 13
#: How long before its first event a series' account was opened.
_MONTHS_OLD_H = 120 * 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One real series as a tenant: seconds since the epoch and quantities, and its hourly sums.

    ``base`` is the tenant's limit: the usual (median) busiest hour of a day. ``first_hour`` is the
    hour of ``hourly[0]``.
    """

    tenant_id: str
    times_s: NDArray[np.int64]
    values: NDArray[np.float64]
    first_hour: int
    hourly: NDArray[np.float64]
    base: int

    @property
    def end_hour(self) -> int:
        """The hour after the last one."""
        return self.first_hour + len(self.hourly)

    @property
    def judged_from_hour(self) -> int:
        """From here on there is enough past to tell a spike: the next UTC midnight."""
        return (-(-self.first_hour // 24) + USUAL_DAYS_MIN + 1) * 24

    def spike_hours(self) -> NDArray[np.int64]:
        """Hours whose demand is SPIKE_TIMES the median of the past days' busiest hours.

        This is the benchmark's own reading of a spike, with the median of days wholly past; the
        product sees only features and does not know it.
        """
        hours = np.arange(self.first_hour, self.end_hour)
        days = hours // 24
        peaks = {int(day): float(self.hourly[days == day].max()) for day in np.unique(days)}
        found = []
        for hour in range(self.judged_from_hour, self.end_hour):
            day = hour // 24
            past = [peaks[d] for d in range(day - USUAL_DAYS, day) if peaks.get(d, 0.0) > 0]
            usual = float(np.median(past)) if len(past) >= USUAL_DAYS_MIN else math.inf
            if self.hourly[hour - self.first_hour] >= SPIKE_TIMES * usual:
                found.append(hour)
        return np.array(found, dtype=np.int64)


def load(folder: Path) -> tuple[list[Series], list[str]]:
    """All series below ``folder`` that are long enough, ending in one week; names of the others.

    They come from different years: each is moved by whole weeks, so that weekdays and hours stay.
    """
    kept, skipped = [], []
    for path in sorted(folder.glob("*/*.csv")):
        times, values = _read(path)
        if times[-1] - times[0] < MIN_DAYS * 24 * _HOUR_S or not values.any():
            skipped.append(path.stem)
            continue
        kept.append((path.stem, times, values))
    last_week = max(int(times[-1]) // (_WEEK_H * _HOUR_S) for _, times, _ in kept) if kept else 0
    return [_series(name, t, v, last_week) for name, t, v in kept], skipped


def _read(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    with path.open(newline="") as file:
        rows = [(row["timestamp"], float(row["value"])) for row in csv.DictReader(file)]
    moments = [datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH for text, _ in rows]
    seconds = np.array([int(moment.total_seconds()) for moment in moments], dtype=np.int64)
    values = np.array([max(0.0, value) for _, value in rows])
    order = np.argsort(seconds, kind="stable")
    return seconds[order], values[order]


def _series(
    name: str, times: NDArray[np.int64], values: NDArray[np.float64], last_week: int
) -> Series:
    week_s = _WEEK_H * _HOUR_S
    times = times + (last_week - int(times[-1]) // week_s) * week_s
    peak = _usual_peak(*_hourly(times, values))
    # Utilisation in percent or prices in cents: a power of ten makes counts of them.
    scale = 10.0 ** max(0, math.ceil(math.log10(1_000.0 / peak)))
    values = np.round(values * scale)
    first, hourly = _hourly(times, values)
    return Series(
        tenant_id=name.replace("Twitter_volume_", "tweets_"),
        times_s=times,
        values=values,
        first_hour=first,
        hourly=hourly,
        base=max(1, round(_usual_peak(first, hourly))),
    )


def _hourly(
    times: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[int, NDArray[np.float64]]:
    hours = times // _HOUR_S
    sums = np.zeros(int(hours[-1] - hours[0]) + 1)
    np.add.at(sums, hours - hours[0], values)
    return int(hours[0]), sums


def _usual_peak(first_hour: int, hourly: NDArray[np.float64]) -> float:
    days = (first_hour + np.arange(len(hourly))) // 24
    peaks = [float(hourly[days == day].max()) for day in np.unique(days)]
    return max(float(np.median([peak for peak in peaks if peak > 0])), 1e-3)


def write_import(folder: Path, series: list[Series]) -> None:
    """Write the import directory: one plan, one account and one usage file for all."""
    folder.mkdir(parents=True)
    limit = {"base": 1_000, "contract": 700, "per": "hour", "kind": "rate"}
    plan = {
        **{"plan": "measured", "rank": 1, "monthly_price_minor": 10_000, "currency": "USD"},
        **{"primary_meter": "api.requests", "limits": {"api.requests": limit}},
        "effective_at": "2001-01-01T00:00:00Z",
    }
    (folder / "plans.json").write_text(json.dumps([plan]))
    meter = {"name": "api.requests", "counts": "demand", "resolution_seconds": 300}
    (folder / "meters.json").write_text(json.dumps([meter]))
    (folder / "accounts.ndjson").write_text("".join(map(_account, series)))
    utc = pa.timestamp("s", tz="UTC")
    tables = []
    for each in series:
        size = len(each.times_s)
        tables.append(
            pa.table(
                {
                    "id": [f"n{number}" for number in range(size)],
                    "tenant_id": [each.tenant_id] * size,
                    "time": pa.array(each.times_s).cast(utc),
                    "meter": ["api.requests"] * size,
                    "quantity": each.values,
                }
            )
        )
    pq.write_table(pa.concat_tables(tables), folder / "usage.parquet", compression="zstd")


def _account(each: Series) -> str:
    created = datetime.fromtimestamp((each.first_hour - _MONTHS_OLD_H) * _HOUR_S, UTC)
    account = {
        "tenant_id": each.tenant_id,
        "plan": "measured",
        "created_at": created.isoformat().replace("+00:00", "Z"),
        "mrr_minor": 10_000,
        "currency": "USD",
        "base_limit": each.base,
        "contract_limit": -(-each.base * 70 // 100),
    }
    return json.dumps(account) + "\n"
