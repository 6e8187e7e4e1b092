"""The fold: raw events in, hour and day tiles out; see ``docs/reference/data-model.md``.

Events are put in order of arrival day, tenant, meter and hours by one packed number each; what is
equal then lies side by side, and sums, peaks and windows are passes over runs. Everything is a sum
of whole steps or a largest value, so the order of events changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from flyball.instant import HOUR_US, SECOND_US
from flyball.meter import Meter
from telemetry.grouping import (
    above_least,
    bits_of,
    counts_of,
    exact_total,
    largest,
    packed,
    starts_of,
    total,
)
from telemetry.limit_spans import LIMIT_SCHEMA, LimitSpans
from telemetry.raw_usage import Array, RawUsage
from telemetry.tile_columns import COLUMNS, UNIT_STEPS
from telemetry.window_shares import Windows

__all__ = ["LIMIT_SCHEMA", "Folded", "fold"]

_HOUR_SECONDS = 3_600
_SECOND_BITS = 12
_REQUESTS, _PEAK, _BLOCKED = "api.requests", "api.requests.peak", "api.blocked"


def fold(raw: Any, limits: Any, meters: Mapping[str, Meter]) -> Folded:
    """Fold the events of the pyarrow table ``raw``.

    Parameters
    ----------
    raw:
        At least tenant_id, meter, time_us, arrived_us and quantity (finite, 0 .. 1e15).
    limits:
        pyarrow table of :data:`LIMIT_SCHEMA`: the primary meter's limit from an hour on.
    meters:
        What is known of meters by name.
    """
    events = RawUsage.of_table(raw)
    if _BLOCKED in events.meter_codes:
        events = events.naming(_accepted(limits, meters))
    spans = LimitSpans(limits, events.tenants, events.meters)
    kinds = [meters.get(name) for name in events.meters.to_pylist()]
    return Folded(_with_blocked(events, spans, kinds), spans, kinds)


@dataclass(frozen=True, slots=True)
class _Hours:
    """Hour tiles, ordered by arrival day, tenant, meter, event hour and arrival hour."""

    tenant: Array
    meter: Array
    event_hour: Array
    arrival_hour: Array
    count: Array
    units: Array
    quantity_max: Array
    last_at_us: Array
    last_units: Array


class Folded:
    """What a fold found: see :func:`fold`, which makes it."""

    def __init__(self, events: RawUsage, spans: LimitSpans, kinds: list[Meter | None]) -> None:
        self._tenants, self._meters = events.tenants, events.meters
        self._hours, self._windows = _fold_hours(events, spans, kinds)

    def table(self, relation: str) -> Any:
        """pyarrow table of relation ``hour`` or ``day``: its tiles in order of arrival day,
        tenant, meter, event and arrival time, names dictionary-encoded."""
        columns = self._hour_columns() if relation == "hour" else self._day_columns()
        hours = self._hours
        at = columns.pop("at")
        named = {
            "tenant_id": _dictionary(hours.tenant[at], self._tenants),
            "meter": _dictionary(hours.meter[at], self._meters),
        }
        return pa.table({name: named.get(name, columns.get(name)) for name in COLUMNS[relation]})

    def _hour_columns(self) -> dict[str, Array]:
        hours = self._hours
        rows = len(hours.tenant)
        quantity = hours.units / UNIT_STEPS
        return {
            "at": np.arange(rows),
            "event_hour": hours.event_hour,
            "arrival_hour": hours.arrival_hour,
            "event_count": hours.count,
            "quantity_sum": quantity,
            "quantity_max": hours.quantity_max,
            "hour_peak": quantity,
            "last_at_us": hours.last_at_us,
            "last_value": hours.last_units / UNIT_STEPS,
            "active_hours": np.ones(rows, np.int64),
        } | self._windows.columns(None, rows)

    def _day_columns(self) -> dict[str, Array]:
        hours = self._hours
        event_day, arrival_day = hours.event_hour // 24, hours.arrival_hour // 24
        starts = starts_of(arrival_day, hours.tenant, hours.meter, event_day)
        rows = len(hours.tenant)
        new_hour = np.zeros(rows, np.int64)
        new_hour[starts_of(arrival_day, hours.tenant, hours.meter, hours.event_hour)] = 1
        last_at_us, last_units = _last(hours.last_at_us, hours.last_units, starts)
        return {
            "at": starts,
            "event_day": event_day[starts],
            "arrival_day": arrival_day[starts],
            "event_count": total(hours.count, starts),
            "quantity_sum": total(hours.units, starts) / UNIT_STEPS,
            "quantity_max": largest(hours.quantity_max, starts),
            "hour_peak": largest(hours.units, starts) / UNIT_STEPS,
            "last_at_us": last_at_us,
            "last_value": last_units / UNIT_STEPS,
            "active_hours": total(new_hour, starts),
        } | self._windows.columns(_group_of(starts, rows), len(starts))


def _dictionary(codes: Array, names: Any) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), names)


def _group_of(starts: Array, rows: int) -> Array:
    """The group of each row."""
    return np.repeat(np.arange(len(starts)), counts_of(starts, rows))


def _last(at_us: Array, units: Array, starts: Array) -> tuple[Array, Array]:
    """The most recent time of every group and its units; ties go to the larger."""
    newest = largest(at_us, starts)
    is_newest = at_us == np.repeat(newest, counts_of(starts, len(at_us)))
    return newest, largest(np.where(is_newest, units, -1), starts)


def _accepted(limits: Any, meters: Mapping[str, Meter]) -> set[str]:
    """Primary meters whose source counts what was let through."""
    primary = limits.column("meter").unique().to_pylist()
    return {name for name in primary if name in meters and meters[name].counts == "accepted"}


def _with_blocked(events: RawUsage, spans: LimitSpans, kinds: list[Meter | None]) -> RawUsage:
    """Where a source counts what was let through, what was blocked is demand of its meter too."""
    accepted = np.array([kind is not None and kind.counts == "accepted" for kind in kinds])
    code = events.meter_codes.get(_BLOCKED)
    if code is None or not accepted.any():
        return events
    blocked = np.flatnonzero(events.meter == code)
    limit = spans.at(events.tenant[blocked], events.time_us[blocked] // HOUR_US)
    blocked, limit = blocked[limit >= 0], limit[limit >= 0]
    meter = spans.meter[limit]
    counts = (meter >= 0) & (meter != code) & accepted[meter]
    return events.plus(blocked[counts], meter[counts])


def _fold_hours(
    events: RawUsage, spans: LimitSpans, kinds: list[Meter | None]
) -> tuple[_Hours, Windows]:
    event_hour, arrival_hour = events.time_us // HOUR_US, events.arrived_us // HOUR_US
    arrival_day = arrival_hour // 24
    second = (events.time_us - event_hour * HOUR_US) // SECOND_US
    key = packed(
        (
            above_least(arrival_day),
            (events.tenant, bits_of(events.tenant)),
            (events.meter, bits_of(events.meter)),
            above_least(event_hour),
            (arrival_hour - arrival_day * 24, 5),
            (second, _SECOND_BITS),
        )
    )
    order = np.argsort(key)
    starts = starts_of(key[order] >> _SECOND_BITS)
    first = order[starts]
    units, time_us = events.units[order], events.time_us[order]
    last_at_us, last_units = _last(time_us, units, starts)
    hours = _Hours(
        tenant=events.tenant[first],
        meter=events.meter[first],
        event_hour=event_hour[first],
        arrival_hour=arrival_hour[first],
        count=counts_of(starts, len(order)),
        units=exact_total(units, starts),
        quantity_max=largest(events.quantity[order], starts),
        last_at_us=last_at_us,
        last_units=last_units,
    )
    return hours, _windows(hours, starts, time_us, units, spans, kinds)


def _windows(
    hours: _Hours,
    starts: Array,
    time_us: Array,
    units: Array,
    spans: LimitSpans,
    kinds: list[Meter | None],
) -> Windows:
    """Shares of the limit in force, of events (ordered, ``starts`` of hour tiles) in windows."""
    resolution = np.array([0 if kind is None else kind.resolution_seconds for kind in kinds])
    limit = spans.at(hours.tenant, hours.event_hour)
    counted = np.flatnonzero(limit >= 0)
    limit = limit[counted]
    seconds = spans.window_seconds[limit]
    span = resolution[hours.meter[counted]]
    fits = (spans.meter[limit] == hours.meter[counted]) & (seconds <= _HOUR_SECONDS) & (span > 0)
    counted, limit, seconds, span = counted[fits], limit[fits], seconds[fits], span[fits]
    base = spans.base_limit[limit]
    whole = span <= seconds
    counts = counts_of(starts, len(units))

    def spread(which: Array, length: Array) -> tuple[Array, Array]:
        """Hour tile (as position in ``counted``) and demand of each span of ``length`` seconds."""
        chosen = np.flatnonzero(which)
        each = counts[counted[chosen]]
        tile = np.repeat(chosen, each)
        begins = np.cumsum(each) - each
        event = np.arange(len(tile)) + np.repeat(starts[counted[chosen]] - begins, each)
        window = time_us[event] // (np.repeat(length[chosen], each) * SECOND_US)
        runs = starts_of(tile, window)
        demand = exact_total(units[event], runs)
        return tile[runs][demand > 0], demand[demand > 0] / UNIT_STEPS

    tile, demand = spread(whole, seconds)
    seen = Windows.seen(counted[tile], demand / base[tile])
    if whole.all():
        return seen
    tile, demand = spread(~whole, span)
    windows = np.maximum(1, span // seconds)[tile]
    mean = demand / windows / base[tile]
    minutes = seconds[tile] / 60.0
    # The busiest minute's excess over the mean shrinks with the square root of the window's length.
    stretched = _minute_peak(hours, counted[tile], kinds) * minutes / base[tile]
    peak = mean + (stretched - mean) / np.sqrt(minutes)
    return seen.plus(Windows.estimated(counted[tile], mean, peak, windows))


def _minute_peak(hours: _Hours, tiles: Array, kinds: list[Meter | None]) -> Array:
    """Busiest minute that was reported beside each of these tiles of requests; NaN: none was."""
    code = {kind.name: number for number, kind in enumerate(kinds) if kind is not None}
    peak, known = np.full(len(tiles), np.nan), code.get(_PEAK)
    if known is None:
        return peak
    reported = np.flatnonzero(hours.meter == known)
    rows = np.concatenate((reported, tiles))
    key = packed(
        (
            (hours.tenant[rows], bits_of(hours.tenant)),
            above_least(hours.event_hour[rows]),
            above_least(hours.arrival_hour[rows]),
        )
    )
    ours, theirs = key[len(reported) :], key[: len(reported)]
    order = np.argsort(theirs)
    place = np.minimum(np.searchsorted(theirs[order], ours), len(theirs) - 1)
    found = (theirs[order][place] == ours) & (hours.meter[tiles] == code.get(_REQUESTS))
    return np.where(found, hours.quantity_max[reported[order][place]], np.nan)
