"""Demand over base limit, window by window, and its histogram per tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telemetry.grouping import starts_of, total
from telemetry.raw_usage import Array
from telemetry.tile_columns import BINS, EDGES, MAX_SHARE, SHARE_STEPS

_EDGES = np.array(EDGES)


@dataclass(frozen=True, slots=True)
class Windows:
    """Limit windows with demand, whole ones or estimated ones, in order of their hour tile.

    Parameters
    ----------
    tile:
        Position of the hour tile.
    peak:
        Largest share of the row's windows.
    cells, counts, steps:
        Histogram entries: ``row * BINS + bin``, windows in it, the sum of their shares in steps
        of 2**-20.
    coarse:
        Windows of the row that are estimated.
    """

    tile: Array
    peak: Array
    cells: Array
    counts: Array
    steps: Array
    coarse: Array

    @classmethod
    def seen(cls, tile: Array, share: Array) -> Windows:
        """Windows whose share is known."""
        share = np.minimum(share, MAX_SHARE)
        cells = np.arange(len(tile)) * BINS + np.searchsorted(_EDGES, share, side="right")
        steps = np.rint(share * SHARE_STEPS)
        return cls(tile, share, cells, np.ones(len(tile)), steps, np.zeros(len(tile)))

    @classmethod
    def estimated(cls, tile: Array, mean: Array, peak: Array, windows: Array) -> Windows:
        """Spans of ``windows`` windows of which only the mean share and the ``peak`` are known.

        NaN stands for an unknown peak, which is then taken as twice the mean. A span is taken as k
        active windows whose shares rise evenly from ``low`` to ``high`` around their mean: all
        of them if the peak is at most twice the mean, else as many as keep the mean with ``low`` 0.
        """
        p = np.where(np.isnan(peak), 2 * mean, np.clip(peak, mean, mean * windows))
        fewer = np.clip(np.floor(2 * mean * windows / np.maximum(p, 1e-300) + 0.5), 1, windows)
        active = np.where(p <= 2 * mean, windows, fewer)
        middle = mean * windows / active
        low = np.clip(2 * middle - p, 0.0, middle)
        high = np.minimum(2 * middle - low, MAX_SHARE)
        low = np.minimum(low, MAX_SHARE)
        below = _below(active, low, high)
        before, upto = below[:, :-1], below[:, 1:]
        rise = ((high - low) / active)[:, None]
        shares = (upto - before) * low[:, None] + rise * (upto**2 - before**2) / 2.0
        return cls(
            tile,
            np.minimum(np.maximum(p, middle), MAX_SHARE),
            np.arange(len(tile) * BINS),
            (upto - before).ravel(),
            np.rint(shares * SHARE_STEPS).ravel(),
            active,
        )

    def plus(self, other: Windows) -> Windows:
        """Both, in order of their tiles."""
        if not len(other.tile):
            return self
        if not len(self.tile):
            return other
        tile = np.concatenate((self.tile, other.tile))
        order = np.argsort(tile, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        cells = np.concatenate((self.cells, other.cells + len(self.tile) * BINS))
        return Windows(
            tile[order],
            np.concatenate((self.peak, other.peak))[order],
            place[cells // BINS] * BINS + cells % BINS,
            np.concatenate((self.counts, other.counts)),
            np.concatenate((self.steps, other.steps)),
            np.concatenate((self.coarse, other.coarse))[order],
        )

    def columns(self, group: Array | None, groups: int) -> dict[str, Array]:
        """The tile columns of shares.

        Parameters
        ----------
        group:
            Which tile each hour tile belongs to, in the same order; None: each is its own.
        groups:
            How many tiles there are.
        """
        target = self.tile if group is None else group[self.tile]
        starts = starts_of(target)
        tiles, dense = target[starts], np.zeros(len(target), np.int64)
        dense[starts[1:]] = 1
        cells = np.cumsum(dense)[self.cells // BINS] * BINS + self.cells % BINS
        size = len(tiles) * BINS
        counts = np.bincount(cells, self.counts, size).reshape(-1, BINS)
        sums = np.bincount(cells, self.steps, size).reshape(-1, BINS)

        def spread(values: Array, kind: type = np.float64) -> Array:
            column: Array = np.zeros(groups, kind)
            column[tiles] = values
            return column

        peak = np.maximum.reduceat(self.peak, starts) if len(starts) else self.peak
        return (
            {
                "window_count": spread(counts.sum(axis=1), np.int64),
                "share_sum": spread(sums.sum(axis=1) / SHARE_STEPS),
                "share_peak": spread(peak),
            }
            | {f"share_count_{i}": spread(counts[:, i], np.int64) for i in range(BINS)}
            | {f"share_sum_{i}": spread(sums[:, i] / SHARE_STEPS) for i in range(BINS)}
            | {"coarse_count": spread(total(self.coarse, starts), np.int64)}
        )


def _below(active: Array, low: Array, high: Array) -> Array:
    """How many of each span's active windows lie below 0, below each edge, and in all."""
    width = np.where(high > low, high - low, 1.0)[:, None]
    ranks = np.ceil(active[:, None] * (_EDGES - low[:, None]) / width - 0.5)
    flat = np.where(low[:, None] < _EDGES, active[:, None], 0.0)
    between = np.where((high > low)[:, None], np.clip(ranks, 0, active[:, None]), flat)
    return np.hstack((np.zeros((len(active), 1)), between, active[:, None]))
