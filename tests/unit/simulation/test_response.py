from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simulation.memory import Memory
from simulation.response import CHURN, DOWNGRADE, UPGRADE, Situation, drawn, probabilities
from simulation.responses.families import FAMILIES
from simulation.responses.habit import habit
from simulation.responses.smooth import smooth

N = 400
RNG = np.random.default_rng(5)


def _normal() -> NDArray[np.float64]:
    return RNG.standard_normal(N)


def _fresh(**felt: NDArray[np.float64]) -> Memory:
    names = ("grievance", "toll", "onset", "delayed", "weariness")
    return Memory(**{name: felt.get(name, np.zeros(N)) for name in names})


@pytest.fixture(scope="module")
def situation() -> Situation:
    none = np.zeros(N, dtype=bool)
    return Situation(
        pressure=RNG.random(N) * 1.5,
        health=_normal(),
        momentum=0.01 * _normal(),
        open_tickets=np.zeros(N),
        helped=np.zeros(N),
        tenure_weeks=np.full(N, 60.0),
        term_contract=none,
        renewal_due=none,
        top_plan=np.arange(N) % 4 == 3,
        bottom_plan=np.arange(N) % 4 == 0,
        fragility=_normal(),
        dependence=_normal(),
        intent=_normal(),
        segment=np.arange(N) % 5,
        integrations=np.arange(N) % 7,
        memory=_fresh(),
        week=0,
    )


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_probabilities_are_proper_and_top_and_bottom_plans_have_nowhere_to_go(
    family: str, situation: Situation
) -> None:
    for felt in (0.0, 0.3, 1.0):
        chances = probabilities(FAMILIES[family].rates(situation, np.full(N, felt)))
        assert (chances >= 0).all()
        assert (chances.sum(axis=1) < 1).all()
        assert (chances[situation.top_plan, UPGRADE] == 0).all()
        assert (chances[situation.bottom_plan, DOWNGRADE] == 0).all()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_base_rates_have_a_realistic_size(family: str, situation: Situation) -> None:
    chances = probabilities(FAMILIES[family].rates(situation, np.zeros(N))).mean(axis=0)
    assert 0.001 < chances[UPGRADE] < 0.02
    assert 0.001 < chances[CHURN] < 0.012


def test_smooth_friction_raises_upgrades_and_churn_and_saturates(situation: Situation) -> None:
    rates = [smooth(situation, np.full(N, felt)).mean(axis=0) for felt in (0.0, 0.1, 0.2, 0.9, 1.0)]
    for kind in (UPGRADE, CHURN):
        series = [rate[kind] for rate in rates]
        assert series == sorted(series)
        assert series[1] - series[0] > 10 * (series[4] - series[3])
    assert rates[0][DOWNGRADE] == rates[4][DOWNGRADE]


def test_smooth_friction_helps_some_and_hurts_others(situation: Situation) -> None:
    gain = smooth(situation, np.full(N, 0.15)) - smooth(situation, np.zeros(N))
    worth = gain[:, UPGRADE] - gain[:, CHURN]
    able = ~situation.top_plan
    assert (worth[able] > 0).mean() > 0.2
    assert (worth[able] < 0).mean() > 0.05


def test_habit_friction_never_helps_and_past_friction_counts(situation: Situation) -> None:
    calm, tight = (habit(situation, np.full(N, felt)) for felt in (0.0, 0.15))
    assert (tight[:, UPGRADE] == calm[:, UPGRADE]).all()
    assert (tight[:, CHURN] > calm[:, CHURN]).all()


def test_outcomes_come_as_often_as_their_probability(situation: Situation) -> None:
    chances = np.tile([[0.05, 0.02, 0.10]], (50_000, 1))
    outcome = drawn(chances, np.random.default_rng(2).random(50_000))
    for kind, expected in ((UPGRADE, 0.05), (DOWNGRADE, 0.02), (CHURN, 0.10)):
        assert abs((outcome == kind).mean() - expected) < 0.005


def test_lower_churn_never_turns_survival_into_churn() -> None:
    u = np.random.default_rng(2).random(5_000)
    high = drawn(np.tile([[0.05, 0.02, 0.10]], (5_000, 1)), u)
    low = drawn(np.tile([[0.05, 0.02, 0.04]], (5_000, 1)), u)
    assert not ((low == CHURN) & (high != CHURN)).any()
