"""Drift is told where it was planted, and not where nothing changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from models.bundle import Bundle
from training.candidate import fit_and_judge
from training.contract import Contract
from training.dataset import Dataset
from training.drift import DriftReport, find_drift, largest_gap, stability_index
from training.effects import ArmMeans
from training.rehearsal import FIRST_HOUR, WEEK_HOURS, World, rehearse

WORLD = World(tenants=600, weeks=16, base=(0.05, 0.01, 0.05))
CUT = FIRST_HOUR + 9 * WEEK_HOURS


@pytest.fixture(scope="module")
def everything() -> Dataset:
    return rehearse(WORLD)


@pytest.fixture(scope="module")
def champion(everything: Dataset) -> Bundle:
    """Learned from the first ten weeks."""
    contract = Contract(
        features=WORLD.features, feature_hash="ab" * 8, factor_groups={"all": WORLD.features}
    )
    early = everything.take(everything.start_hours() <= CUT)
    return fit_and_judge(early, contract, estimator=ArmMeans(redraws=19)).bundle


def _changed(dataset: Dataset, **columns: np.ndarray) -> Dataset:
    """Recent rows of ``columns`` replaced."""
    rows, late = dataset.rows, dataset.start_hours() > CUT
    for name, values in columns.items():
        before = rows[name].to_numpy(zero_copy_only=False)
        after = pa.array(np.where(late, values, before), type=rows[name].type)
        rows = rows.set_column(rows.column_names.index(name), name, after)
    return replace(dataset, rows=rows)


def _drifted(report: DriftReport) -> set[str]:
    assert not report.absent
    return {finding.name for finding in report.drifted}


def test_nothing_drifts_in_a_steady_world(everything: Dataset, champion: Bundle) -> None:
    report = find_drift(everything, champion)
    assert _drifted(report) == set()
    assert {f.kind for f in report.findings} >= {"psi", "ks", "missing", "propensity", "draws"}
    assert "calibration_slope.churn" in {finding.name for finding in report.findings}


def test_a_moved_feature_is_found_and_named(everything: Dataset, champion: Bundle) -> None:
    moved = everything.rows["logins"].to_numpy(zero_copy_only=False) + 1.0
    found = _drifted(find_drift(_changed(everything, logins=moved), champion))
    assert {"psi.logins", "ks.logins"} <= found
    assert "psi.growth" not in found


def test_a_feature_that_stops_arriving_is_found(everything: Dataset, champion: Bundle) -> None:
    nothing = np.full(len(everything), np.nan)
    found = _drifted(find_drift(_changed(everything, tickets=nothing), champion))
    assert "missing.tickets" in found


def test_endless_numbers_are_found(everything: Dataset, champion: Bundle) -> None:
    endless = np.full(len(everything), np.inf)
    assert "infinite.tickets" in _drifted(
        find_drift(_changed(everything, tickets=endless), champion)
    )


def test_a_risk_that_turned_round_shows_in_the_calibration_slope(
    everything: Dataset, champion: Bundle
) -> None:
    shuffled = np.random.default_rng(3).permutation(everything.codes())
    found = _drifted(find_drift(_changed(everything, outcome=shuffled), champion))
    assert "calibration_slope.churn" in found


def test_other_propensities_and_draws_that_do_not_follow_them_are_found(
    everything: Dataset, champion: Bundle
) -> None:
    zeros, ones = np.zeros(len(everything)), np.ones(len(everything))
    other = _changed(everything, offered_70=zeros, offered_130=zeros, offered_100=ones * 0.6)
    found = _drifted(find_drift(other, champion))
    assert {"propensity.100", "draws.100", "draws.70"} <= found


def test_a_week_of_which_half_is_missing_is_found(everything: Dataset, champion: Bundle) -> None:
    hours = everything.start_hours()
    kept = (hours < hours.max()) | (np.arange(len(hours)) % 3 == 0)
    assert _drifted(find_drift(everything.take(kept), champion)) == {"volume.latest_period"}


def test_too_few_new_units_say_nothing(everything: Dataset, champion: Bundle) -> None:
    report = find_drift(everything.take(everything.start_hours() <= CUT), champion)
    assert report.absent
    assert report.findings == ()


def test_the_index_by_hand() -> None:
    past = np.repeat([0.0, 1.0], 500)
    same, chance = stability_index(past, past)
    assert same == pytest.approx(0.0, abs=1e-12)
    assert 0.0 < chance < 0.05
    shifted = np.repeat([0.0, 1.0], [250, 750])
    assert stability_index(past, shifted)[0] == pytest.approx(0.25 * np.log(1.5 * 2.0), rel=0.02)
    assert largest_gap(past, shifted) == pytest.approx(0.25)
