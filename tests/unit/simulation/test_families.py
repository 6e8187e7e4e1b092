from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from simulation.exploration import ARMS, draw
from simulation.export import Exporter
from simulation.memory import Memory
from simulation.response import CHURN, DOWNGRADE, UPGRADE, Situation, natural
from simulation.responses.families import FAMILIES, family_named
from simulation.support import written_down
from simulation.week import Setup
from simulation.world import World

N = 300
CALM = np.zeros(N)
TIGHT = np.full(N, 0.12)


def _memory(**felt: float) -> Memory:
    names = ("grievance", "toll", "onset", "delayed", "weariness")
    return Memory(**{name: np.full(N, felt.get(name, 0.0)) for name in names})


@pytest.fixture
def situation() -> Situation:
    rng = np.random.default_rng(5)
    no = np.zeros(N, dtype=bool)
    return Situation(
        pressure=rng.random(N),
        health=rng.standard_normal(N),
        momentum=np.zeros(N),
        open_tickets=np.zeros(N),
        helped=np.zeros(N),
        tenure_weeks=np.full(N, 60.0),
        term_contract=np.arange(N) % 2 == 0,
        renewal_due=no,
        top_plan=no,
        bottom_plan=no,
        fragility=rng.standard_normal(N),
        dependence=rng.standard_normal(N),
        intent=rng.standard_normal(N),
        segment=np.arange(N) % 5,
        integrations=np.arange(N) % 7,
        memory=_memory(),
        week=0,
    )


def _lift(family: str, s: Situation, felt: NDArray[np.float64] = TIGHT) -> NDArray[np.float64]:
    """Factor on each rate, ``[n, 3]``."""
    rates = FAMILIES[family].rates
    ratio: NDArray[np.float64] = rates(s, felt) / rates(s, CALM)
    return ratio


def test_there_are_eleven_families_and_a_wrong_name_is_told_them() -> None:
    assert len(FAMILIES) == 11
    assert {name for name, family in FAMILIES.items() if family.held_out} == {
        "lock_in", "delayed", "trade_down", "budget_rounds",
    }  # fmt: skip
    with pytest.raises(ValueError, match="null"):
        family_named("magic")


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_who_never_felt_anything_lives_by_natural_rates(family: str, situation: Situation) -> None:
    assert (FAMILIES[family].rates(situation, CALM) == natural(situation)).all()


def test_in_null_nothing_felt_changes_anything(situation: Situation) -> None:
    weary = replace(situation, memory=_memory(toll=3.0, delayed=0.2), renewal_due=CALM == 0)
    rates = FAMILIES["null"].rates
    assert (_lift("null", situation) == 1.0).all()
    assert (rates(weary, TIGHT) == rates(replace(weary, memory=_memory()), CALM)).all()


def test_threshold_notices_nothing_below_it(situation: Situation) -> None:
    assert (_lift("threshold", situation, np.full(N, 0.03)) == 1.0).all()
    assert _lift("threshold", situation)[:, UPGRADE].max() == pytest.approx(2.6)


@pytest.mark.parametrize("family", ["threshold", "lock_in"])
def test_friction_of_the_term_is_paid_for_at_the_renewal(family: str, situation: Situation) -> None:
    rates = FAMILIES[family].rates
    due = replace(situation, renewal_due=situation.term_contract)
    sour = replace(due, memory=_memory(toll=2.5))
    early = replace(situation, memory=_memory(toll=2.5))
    worse = rates(sour, CALM)[:, CHURN] / rates(due, CALM)[:, CHURN]
    assert worse[situation.term_contract].min() > 2
    assert (rates(early, CALM) == rates(situation, CALM)).all()


def test_lock_in_the_integrated_pay_and_the_others_leave(situation: Situation) -> None:
    lift = _lift("lock_in", situation)
    deep, loose = situation.integrations == 6, situation.integrations == 0
    assert lift[deep, UPGRADE].min() > 2
    assert (lift[deep, CHURN] == 1.0).all()
    assert (lift[loose, UPGRADE] == 1.0).all()
    assert lift[loose, CHURN].min() > 2


def test_sign_flip_is_a_matter_of_the_segment(situation: Situation) -> None:
    lift = _lift("sign_flip", situation)
    assert (lift[situation.segment == 0, UPGRADE] > 2).all()
    assert (lift[situation.segment == 2] == 1.0).all()
    assert (lift[situation.segment == 4, UPGRADE] < 1).all()
    assert (lift[situation.segment == 4, CHURN] > 2).all()


def test_delayed_harm_comes_weeks_later_and_lift_wears_off(situation: Situation) -> None:
    lift = _lift("delayed", situation)
    assert (lift[:, CHURN] == 1.0).all()
    weary = replace(situation, memory=_memory(weariness=0.8))
    assert (_lift("delayed", weary)[:, UPGRADE] < lift[:, UPGRADE]).all()
    late = replace(situation, memory=_memory(delayed=0.1))
    rates = FAMILIES["delayed"].rates
    assert (rates(late, CALM)[:, CHURN] > rates(situation, CALM)[:, CHURN]).all()


def test_confounded_drifts_from_lift_to_harm(situation: Situation) -> None:
    now, later = (_lift("confounded", replace(situation, week=week)) for week in (0, 48))
    assert (now[:, UPGRADE] > 2).all()
    assert later[:, UPGRADE] == pytest.approx(1.0)
    assert (later[:, CHURN] > now[:, CHURN]).all()


def test_memory_of_a_term_ends_with_it_and_delay_comes_late() -> None:
    memory, none = _memory(), np.zeros(N, dtype=bool)
    onsets = []
    for week in range(20):
        memory = memory.after(TIGHT if week == 0 else CALM, none)
        onsets.append(float(memory.delayed[0]))
    assert 3 <= int(np.argmax(onsets)) <= 6
    assert memory.toll[0] == pytest.approx(0.12 * 0.98**19)
    assert memory.after(CALM, ~none).toll.max() == 0.0


def test_rarely_limited_few_tenants_ever_meet_their_limit() -> None:
    shares = {}
    for name in ("smooth", "rarely_limited"):
        week = World.begin(Setup(tenants=600, weeks=4, family=name)).step({})
        shares[name] = float((week.refused.sum(axis=1) > 0)[week.here].mean())
    assert shares["rarely_limited"] < 0.12 < shares["smooth"]


def test_confounded_history_leans_with_honest_propensities() -> None:
    world = World.begin(Setup(tenants=1_500, weeks=4, family="confounded", warmup_weeks=0))
    health = world.state.health.copy()
    week = world.step()
    assert week.drawn is not None
    free = week.here & (week.drawn.offered[:, 1] > 0) & (week.drawn.offered[:, 3] > 0)
    tight = week.drawn.offered[free, 1]
    assert np.corrcoef(tight, health[: len(free)][free])[0, 1] > 0.2
    assert tight.min() > 0.1
    # As often as said: mean of 1{85} / p is 1.
    weight = (week.arm[free] == 85) / tight
    assert abs(weight.mean() - 1.0) < 4 * weight.std() / np.sqrt(free.sum())


def test_a_lean_of_nothing_makes_offered_arms_alike() -> None:
    allowed = np.ones((1, len(ARMS)), dtype=bool)
    assert draw(allowed, np.array([0.5])).offered.tolist() == [[0.2] * 5]
    leaning = draw(allowed, np.array([0.5]), np.array([0.5])).offered[0]
    assert (np.diff(leaning) < 0).all()


def test_some_interventions_are_never_written_down(tmp_path: Path) -> None:
    calls = [(row, 10, "call") for row in range(1_000)]
    assert written_down(7, 3_000, calls, 0.0) == calls
    assert 600 < len(written_down(7, 3_000, calls, 0.3)) < 800
    world = World.begin(Setup(tenants=1_500, weeks=4, family="confounded"))
    week = world.step()
    Exporter(world).write(tmp_path, [week], week.until_hour)
    told = len((tmp_path / "interventions.csv").read_text().splitlines()) - 1
    assert 0 < told < len(week.interventions)


def test_in_trade_down_the_modest_go_down_and_leave_only_where_there_is_nothing_below(
    situation: Situation,
) -> None:
    lift = _lift("trade_down", replace(situation, intent=np.full(N, -1.0)))
    assert (lift[:, DOWNGRADE] > 2.0).mean() > 0.8
    assert (lift[:, CHURN] == 1.0).all()
    bottom = replace(situation, bottom_plan=CALM == 0.0)
    rates = FAMILIES["trade_down"].rates
    assert (rates(bottom, TIGHT)[:, CHURN] > rates(bottom, CALM)[:, CHURN]).all()
    assert (_lift("trade_down", situation)[:, UPGRADE] > 1.0).all()


def test_between_budget_rounds_friction_changes_nothing_and_in_one_it_is_recalled(
    situation: Situation,
) -> None:
    assert (_lift("budget_rounds", replace(situation, week=8)) == 1.0).all()
    within = replace(situation, week=9)
    lift = _lift("budget_rounds", within)
    assert (lift[:, [UPGRADE, CHURN]] > 1.0).all()
    assert (lift[:, DOWNGRADE] == 1.0).all()
    rates = FAMILIES["budget_rounds"].rates
    recalled = rates(replace(within, memory=_memory(delayed=0.1)), CALM)
    assert (recalled[:, UPGRADE] > rates(within, CALM)[:, UPGRADE]).all()
