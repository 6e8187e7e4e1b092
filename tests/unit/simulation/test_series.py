from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from simulation.series import shapes_in
from simulation.week import Setup
from simulation.world import World

MONDAY = datetime(2015, 3, 2, tzinfo=UTC)


def _write(path: Path, start: datetime, weeks: int, level: float) -> None:
    """Counts every half hour: twice the level in the ninth hour of each day, else the level."""
    lines = ["timestamp,value"]
    for step in range(weeks * 336):
        at = start + timedelta(minutes=30 * step)
        lines.append(f"{at:%Y-%m-%d %H:%M:%S},{level * (20 if at.hour == 9 else 1)}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _write(tmp_path / "Twitter_volume_A.csv", MONDAY, 3, 50.0)
    # Begins on a Wednesday: its first whole week is the next one.
    _write(tmp_path / "nyc_taxi.csv", MONDAY + timedelta(days=2), 3, 1.0)
    (tmp_path / "ec2_cpu_utilization_x.csv").write_text("timestamp,value\n2014-01-01,1\n")
    return tmp_path


def test_whole_weeks_are_cut_from_monday_on_in_usual_busy_hours(folder: Path) -> None:
    shapes = shapes_in(str(folder))
    assert shapes.count == 2
    assert shapes.blocks.shape == (5, 168)
    assert (shapes.blocks[:, 9] == shapes.blocks.max()).all()
    assert shapes.blocks.max() <= 6.0


def test_a_tenant_keeps_its_series_and_its_weeks_do_not_depend_on_others(folder: Path) -> None:
    shapes = shapes_in(str(folder))
    some, more = (shapes.of_week(3, 2_900, count) for count in (40, 90))
    assert (some == more[:40]).all()
    assert (shapes.of_week(3, 2_900, 40) == some).all()


def test_a_world_lives_on_them(folder: Path) -> None:
    world = World.begin(Setup(tenants=60, weeks=2, seed=1, series=str(folder)))
    week = world.step()
    busy = np.argmax(week.demand[week.here], axis=1)
    assert ((busy % 24 == 9) | (week.demand[week.here].max(axis=1) == 0)).mean() > 0.9
    generated = World.begin(Setup(tenants=60, weeks=2, seed=1)).step()
    assert (generated.demand != week.demand).any()


def test_a_folder_without_series_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no series of counts"):
        shapes_in(str(tmp_path))
    (tmp_path / "nyc_taxi.csv").write_text("timestamp,value\n2014-07-01 00:00:00,x\n")
    with pytest.raises(ValueError, match=r"line 2"):
        shapes_in(str(tmp_path))
