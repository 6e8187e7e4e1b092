"""Scores become the words that policies know."""

from __future__ import annotations

import numpy as np

from flyball.outlook import NO_EFFECT, Trust
from models.bundle import Bundle
from models.outlook import outlook_of, outlooks_of
from models.scorer import Scorer


def test_an_outlook_says_what_the_scores_say(draft: Bundle) -> None:
    arms = draft.manifest.arms
    x = np.zeros((2, 4), np.float32)
    dose = np.array([[0.2, 0.1, 0, -0.1, np.nan]] * 2, np.float32)
    scores = Scorer(draft).score(x, np.array([0, 1]), dose)
    outlook = outlook_of(scores, 1, arms, dose, demand_per_period=12.0)
    assert outlook.demand_per_period == 12.0
    assert outlook.hazards is not None
    assert outlook.hazards.churn == float(scores.hazards[1, 2])
    tight = outlook.effects[70]
    assert tight.trust is Trust.POOLED
    assert tight.dose == float(np.float32(0.2))
    assert tight.upgrade is not None
    assert tight.upgrade.mean == float(scores.mean[1, 0, 0])
    assert tight.churn is not None
    assert tight.churn.sd == float(scores.sd[1, 0, 2])
    assert outlook_of(scores, 0, arms, dose).effects[70].trust is Trust.SEGMENT


def test_no_evidence_means_no_estimate_and_unknown_dose_means_none(draft: Bundle) -> None:
    dose = np.full((1, 5), np.nan, np.float32)
    scores = Scorer(draft).score(np.zeros((1, 4), np.float32), np.array([1]), dose)
    wide = outlook_of(scores, 0, draft.manifest.arms, dose).effects[130]
    assert wide.trust is Trust.NONE
    assert wide.dose is None
    assert wide.upgrade is wide.downgrade is wide.churn is None


def test_the_neutral_arm_is_known_to_change_nothing(draft: Bundle) -> None:
    dose = np.full((1, 5), np.nan, np.float32)
    scores = Scorer(draft).score(np.zeros((1, 4), np.float32), np.array([1]), dose)
    neutral = outlook_of(scores, 0, draft.manifest.arms, dose).effects[100]
    assert neutral.dose == 0.0
    assert neutral.trust is not Trust.NONE
    assert neutral.upgrade == neutral.downgrade == neutral.churn == NO_EFFECT


def test_a_batch_gives_the_outlooks_that_its_rows_give(draft: Bundle) -> None:
    arms = draft.manifest.arms
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    dose = np.array([[0.2, 0.1, 0, -0.1, np.nan], [np.nan] * 5, [0.0] * 5], np.float32)
    scores = Scorer(draft).score(x, np.array([0, 1, 0]), dose)
    demand = [1.0, 2.0, 3.0]
    batch = outlooks_of(scores, arms, dose, demand)
    single = [
        outlook_of(scores, row, arms, dose, demand_per_period=demand[row]) for row in range(3)
    ]
    assert [outlook.hazards for outlook in batch] == [outlook.hazards for outlook in single]
    assert [outlook.demand_per_period for outlook in batch] == demand
    assert [dict(outlook.effects) for outlook in batch] == [
        dict(outlook.effects) for outlook in single
    ]
    assert batch[0].effects.get(123) is None
