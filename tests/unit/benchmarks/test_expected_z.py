"""The expected z follows from the design of the draws, and truths belong to their rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.expected_z import Seen, main, ways
from benchmarks.logged_world import LoggedWorld, logged_world
from simulation.cell import WorldSpec
from training.estimators.table import EffectTable, Subjects

pytestmark = pytest.mark.train
#: Three weeks of warming up, two of draws.
TINY = WorldSpec(family="smooth", tenants=60, seed=3, history_weeks=5, weeks=1)
WAYS = ["arm", "difference", "bent difference", "bent total", "true shares"]


@pytest.fixture(scope="module")
def world() -> LoggedWorld:
    return logged_world(TINY.setup())


def _two_arms(rows: int) -> Seen:
    """Half of the rows feel 0.2 with even odds, which adds 0.02 to 0.1; the others feel nothing."""
    feel = np.arange(rows) % 2 == 0
    dose = np.where(feel[:, None], [[0.2, 0.0]], 0.0)
    table = EffectTable(
        subjects=Subjects(
            x=np.zeros((rows, 0), dtype=np.float32),
            segment=feel.astype(np.int64),
            plan=np.zeros(rows, dtype=np.int64),
            dose=dose,
        ),
        features=(),
        arms=("85", "100"),
        neutral=1,
        arm=np.zeros(rows, dtype=np.int64),
        offered=np.full((rows, 2), 0.5),
        outcomes=np.zeros((rows, 2)),
        names=("upgrade", "churn"),
        cluster=np.arange(rows),
        draw=np.arange(rows),
        segments=("calm", "busy"),
    )
    chances = np.stack([0.1 + 0.1 * dose, np.full((rows, 2), 0.05)], axis=2)
    return Seen(name="made up", table=table, chances=chances)


def test_the_expected_z_is_known_and_grows_with_the_root_of_the_draws() -> None:
    for rows in (200, 800):
        score = rows / 2 * 0.1 * 0.01
        noise = rows / 2 * 0.01 * 0.11
        assert _two_arms(rows).z() == pytest.approx([score / np.sqrt(noise), 0.0])


def test_the_best_segment_is_the_one_that_feels_something() -> None:
    seen = _two_arms(200)
    (name, z), _ = seen.best_segments()
    assert name == "busy"
    assert z == pytest.approx(seen.z()[0])


def test_z_is_what_the_score_of_drawn_outcomes_shows_on_average() -> None:
    seen = _two_arms(400)
    rng = np.random.default_rng(1)
    found = []
    for _ in range(500):
        arm = rng.integers(0, 2, size=400)
        table = replace(seen.table, arm=arm)
        happened = rng.random(400) < seen.chances[np.arange(400), arm, 0]
        surprise = happened - seen.chances[:, :, 0].mean(axis=1)
        found.append(float(table.residual @ surprise) / np.sqrt(200 * 0.01 * 0.11))
    assert np.mean(found) == pytest.approx(float(seen.z()[0]), abs=0.15)
    assert np.std(found) == pytest.approx(1.0, abs=0.1)


def test_the_truth_of_a_row_is_that_of_its_tenant_and_week(world: LoggedWorld) -> None:
    top = np.asarray(world.dataset.text("plan")) == "enterprise"
    assert top.any()
    # Whoever has the largest plan cannot upgrade, and everybody else can.
    assert ((world.chances[:, 2, 0] == 0.0) == top).all()
    # A wider limit never refuses more.
    assert (np.diff(world.blocked, axis=1) <= 0.0).all()


def test_every_way_is_told_and_sees_that_friction_brings_upgrades(
    world: LoggedWorld,
) -> None:
    seen = list(ways(world, [0.2]))
    assert [each.name for each in seen] == [*WAYS[:4], "bent total, 0.2", WAYS[4]]
    for each in seen:
        assert each.chances.shape == (len(each.table), 5, 3)
        assert np.isfinite(each.z()).all()
        assert each.z()[0] > 0.0


def test_what_cannot_be_asked_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong, said in (
        (["--families", "gentle"], "no family gentle; take some of"),
        (["--tenants", "few"], "at least 50"),
        (["--series", "nowhere"], "--series"),
        (["--half-felt", "0"], "above 0"),
    ):
        with pytest.raises(SystemExit):
            main(wrong)
        assert said in capsys.readouterr().err
