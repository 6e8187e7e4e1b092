"""A policy that would lose money or cause churn is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import commands.training_data
from flyball.economics import Economics
from tests.integration.training.refusing import Refusal, assert_refused, changed, plan, world
from training.dataset import Dataset
from training.stakes import Stakes

pytestmark = [pytest.mark.train, pytest.mark.slow]


def test_effects_larger_than_what_happens(
    attempt: Callable[..., Refusal], claiming: Callable[..., None]
) -> None:
    claiming(upgrade=1.5)
    found = attempt(world(upgrade_effect=0.5), closed=("effect_slope_low", "effect_slope_high"))
    assert_refused(found, "effect_calibration.upgrade")


def test_value_of_the_policy(
    attempt: Callable[..., Refusal], claiming: Callable[..., None]
) -> None:
    claiming(upgrade=0.5)
    rows = world(base=(0.02, 0.01, 0.1), churn_effect=0.6)
    found = attempt(rows, closed=())
    assert_refused(found, "off_policy_value.equal", "off_policy_value.money")


#: Two ladders of plans: those of the small cost a hundredth of those of the large.
LADDERS = Stakes(
    economics=Economics(),
    plans={
        each.plan: each
        for each in (
            plan("small", 1, 1_000),
            plan("medium", 2, 2_000),
            plan("large", 3, 100_000),
            plan("huge", 4, 200_000),
        )
    },
)


@pytest.fixture
def on_two_ladders(
    attempt: Callable[..., Refusal], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Dataset], Refusal]:
    """Attempts a training where ``smb`` tenants pay a hundredth of what the others pay."""
    monkeypatch.setattr(commands.training_data, "load_stakes", lambda *_: LADDERS)

    def train(rows: Dataset) -> Refusal:
        smb = np.asarray(rows.text("segment")) == "smb"
        plans, revenue = np.where(smb, "small", "large"), np.where(smb, 10.0, 1_000.0)
        return attempt(changed(rows, plan=plans, mrr=revenue), closed=())

    return train


def test_value_where_only_the_cheap_tenants_leave(
    on_two_ladders: Callable[[Dataset], Refusal], claiming: Callable[..., None]
) -> None:
    claiming(upgrade=0.5)
    rows = world(base=(0.02, 0.01, 0.1), churn_effect=0.01, segment_factor=90.0)
    assert_refused(on_two_ladders(rows), "off_policy_value.equal")


def test_value_where_only_the_dear_tenants_leave(
    on_two_ladders: Callable[[Dataset], Refusal], claiming: Callable[..., None]
) -> None:
    claiming(upgrade=0.5)
    rows = world(base=(0.02, 0.01, 0.1), churn_effect=0.6, segment_factor=-2.0)
    assert_refused(on_two_ladders(rows), "off_policy_value.money")


def test_churn_that_the_policy_causes(
    attempt: Callable[..., Refusal], claiming: Callable[..., None]
) -> None:
    claiming(upgrade=1.2, churn=0.5)
    rows = world(base=(0.05, 0.01, 0.08), upgrade_effect=1.2, churn_effect=0.5)
    found = attempt(rows, closed=("churn_cap",), value_tolerance=1)
    assert_refused(found, "churn_harm", others=True)
