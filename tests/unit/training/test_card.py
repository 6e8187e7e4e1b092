"""A model card carries the level of trust, the data window, the figures and the limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.candidate import Fitted, fit_and_judge
from training.card import trust_by_segment, trust_level
from training.contract import Contract
from training.dataset import Dataset
from training.effects import ArmEffects, no_effects
from training.rehearsal import World, rehearse

MODELS = Path(__file__).parents[3] / "docs" / "models"


def fitted(world: World, effects: ArmEffects | None = None) -> Fitted:
    class Given:
        def fit(self, dataset: Dataset, segments: tuple[str, ...]) -> ArmEffects:
            return effects or no_effects(dataset.arms, segments, "insufficient evidence: none")

    contract = Contract(
        features=world.features, feature_hash="ab" * 8, factor_groups={"all": world.features}
    )
    return fit_and_judge(rehearse(world), contract, estimator=Given())


WORLD = World(tenants=150, weeks=8, base=(0.05, 0.0001, 0.04))
NOTHING = no_effects(WORLD.arms, ("enterprise", "smb"), "nothing")


def trusting(level: int) -> ArmEffects:
    """Effects of which smb's are known at ``level``, everybody else's at most pooled."""
    trust = np.minimum(np.full_like(NOTHING.trust, level), 1)
    trust[1] = level
    mean = np.zeros_like(NOTHING.mean)
    mean[1, 0, 0] = 0.0123
    return replace(NOTHING, mean=mean, sd=mean / 4.0, trust=trust, summary="effects on upgrade")


@pytest.mark.parametrize(
    ("level", "name"), [(0, "none"), (1, "pooled"), (2, "segment"), (3, "personal")]
)
def test_the_card_and_the_manifest_say_how_far_effects_can_be_trusted(
    level: int, name: str
) -> None:
    bundle = fitted(WORLD, trusting(level)).bundle
    assert trust_level(trusting(level)) == name
    assert f"Level of trust: **{name}**." in bundle.card
    told = bundle.manifest.data_window["trust"]
    assert told["level"] == name
    assert told["segments"] == trust_by_segment(trusting(level))
    assert told["segments"]["smb"]["70"] == name
    assert told["segments"]["other"]["70"] == ("none" if level == 0 else "pooled")
    assert ("| smb | 0.70 |" in bundle.card) == (level > 0)
    assert ("+1.23 ± 0.60" in bundle.card) == (level > 0)


def test_the_card_has_the_data_window_and_what_it_could_not_do() -> None:
    made = fitted(WORLD)
    card = made.bundle.card
    assert "1,200 live decisions that began from 2025-01-06T00:00:00Z to 2025-02-24" in card
    for name, count in made.bundle.manifest.data_window["events"].items():
        assert f"{count:,} {name}" in card
    kinds = made.bundle.manifest.outcome_models
    without = [name for name in kinds if kinds[name].kind == "none"]
    assert "downgrade" in without
    assert f"No model for {' and '.join(without)}: the base rate stands for everybody." in card
    assert "the policy stays at m = 1" in card
    assert "gates could not speak; that is not passing" in card
    for gate in made.gates.gates:
        assert f"- {gate.sentence()}" in card


def test_the_card_has_the_figures_of_evaluation() -> None:
    made = fitted(WORLD)
    churn = made.report.overall["churn"]
    assert f"| {churn.rows:,} | {churn.events:,} |" in made.bundle.card
    assert f"{churn.log_loss:.5f}" in made.bundle.card


def test_a_card_learned_from_history_says_that_nothing_was_drawn() -> None:
    card = fitted(World(tenants=60, weeks=6, drawn=False)).bundle.card
    assert "weeks of history at m = 1" in card
    assert "Nothing was drawn at random" in card


def test_each_model_has_a_page_that_says_what_it_is_not_for() -> None:
    for name in ("risk", "effects", "attribution"):
        page = (MODELS / f"{name}.md").read_text("utf-8")
        for heading in ("What it is.", "What it is for.", "What it is not for.", "How it fails."):
            assert f"**{heading}**" in page
        assert f"({name}.md)" in (MODELS / "README.md").read_text("utf-8")
