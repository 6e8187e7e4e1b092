"""One picture: each tenant's demand against its limits, spikes shaded, multipliers below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np

from benchmarks.real_series import Series

#: As-of hour -> served arm in hundredths.
Served = Mapping[int, int]
_COLUMNS = 3
#: Demand above this many limits is cut off, or nothing else could be seen.
_TOP = 6.0


def plot(
    path: Path,
    series: list[Series],
    on: Mapping[str, Served],
    off: Mapping[str, Served],
    since_hour: int,
) -> None:
    """Draw demand (over the base limit) and multipliers with the spike rule on and off."""
    mpl.use("Agg")
    from matplotlib import pyplot

    rows = -(-len(series) // _COLUMNS)
    figure, axes = pyplot.subplots(
        rows, _COLUMNS, figsize=(18, 2.6 * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(series) :]:
        axis.set_axis_off()
    for axis, each in zip(axes.flat, series, strict=False):
        _panel(axis, each, on[each.tenant_id], off[each.tenant_id], since_hour)
    axes.flat[0].legend(fontsize=6, loc="upper left", ncols=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def _panel(axis: object, each: Series, on: Served, off: Served, since_hour: int) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axis, Axes)
    start = max(since_hour, each.first_hour)
    hours = np.arange(start, each.end_hour)
    share = each.hourly[start - each.first_hour :] / each.base
    days = (hours - start) / 24.0
    axis.plot(days, share, color="0.35", linewidth=0.6, label="demand ÷ base limit")
    for hour in each.spike_hours():
        if hour >= start:
            axis.axvspan((hour - start) / 24, (hour + 1 - start) / 24, color="tab:red", alpha=0.35)
    for served, colour, label in ((off, "tab:orange", "rule off"), (on, "tab:blue", "rule on")):
        known = sorted(hour for hour in served if start <= hour <= each.end_hour)
        steps = [served[hour] / 100 for hour in known]
        where = [(hour - start) / 24 for hour in known]
        axis.step(where, steps, where="post", color=colour, linewidth=1.0, label=label)
    axis.set_ylim(0, min(_TOP, max(2.0, float(share.max()) * 1.1)))
    axis.set_title(each.tenant_id, fontsize=8)
    axis.tick_params(labelsize=6)
