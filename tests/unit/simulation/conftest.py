from __future__ import annotations

import pytest

from simulation.calendar_week import first_hour
from simulation.history import History, write_history
from simulation.week import Setup

END_HOUR = first_hour(2_940) + 3 * 24 + 5
SMALL = Setup(tenants=250, weeks=8, seed=11)


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Eight weeks of 250 tenants, ending on a Thursday morning. Read only."""
    folder = tmp_path_factory.mktemp("simulation") / "import"
    return write_history(folder, SMALL, END_HOUR)
