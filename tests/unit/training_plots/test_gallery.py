"""Every picture is drawn in any world; one that cannot be drawn says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.economics import Economics
from flyball.plan import Limit, Plan
from training.candidate import Fitted, fit_and_judge
from training.contract import Contract
from training.estimators.overlap import arm_overlap
from training.estimators.table import table_of
from training.off_policy.overlap import OverlapRule
from training.plots import canvas
from training.plots.gallery import Exhibits, draw_plots
from training.plots.overlap import margins
from training.rehearsal import World, rehearse
from training.stakes import Stakes

NAMES = {"calibration", "gain", "qini", "arm_value", "overlap", "segments"}


def _stakes() -> Stakes:
    limit = Limit(base=100, contract=70, per="hour")
    plans = {
        name: Plan(
            plan=name,
            rank=rank,
            monthly_price_minor=10_000 * rank,
            currency="USD",
            primary_meter="api.requests",
            limits={"api.requests": limit},
        )
        for rank, name in enumerate(("basic", "pro"), start=1)
    }
    return Stakes(economics=Economics(), plans=plans)


def _fitted(world: World) -> tuple[Fitted, Exhibits]:
    dataset = rehearse(world)
    contract = Contract(
        features=world.features, feature_hash="ab" * 8, factor_groups={"all": world.features}
    )
    fitted = fit_and_judge(dataset, contract, stakes=_stakes())
    return fitted, Exhibits(
        judged=fitted.judged,
        report=fitted.report,
        effects=fitted.effects,
        policy=fitted.policy,
        overlap=arm_overlap(table_of(dataset, fitted.effects.segments)),
    )


@pytest.fixture(scope="module")
def acting() -> tuple[Fitted, Exhibits]:
    """A world in which friction is worth it, so that every picture has something to show."""
    return _fitted(
        World(
            tenants=1000,
            weeks=14,
            base=(0.08, 0.01, 0.02),
            upgrade_effect=0.7,
            segment_factor=2.0,
            organisation_share=0.1,
        )
    )


@pytest.fixture
def silences(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Reasons that were drawn instead of a picture."""
    said: list[str] = []
    drawn = canvas.silent

    def listen(path: Path, title: str, reason: str) -> Path:
        said.append(reason)
        return drawn(path, title, reason)

    for name in ("arm_value", "overlap", "qini"):
        monkeypatch.setattr(f"training.plots.{name}.silent", listen)
    return said


def test_a_policy_that_acts_has_every_picture(
    acting: tuple[Fitted, Exhibits], tmp_path: Path, silences: list[str]
) -> None:
    paths = draw_plots(acting[1], tmp_path)
    assert {path.stem for path in paths} == NAMES
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert silences == []


def test_what_the_pictures_show_is_in_the_figures_too(acting: tuple[Fitted, Exhibits]) -> None:
    figures = acting[0].policy.figures
    assert figures["arm_value.policy.low"] < figures["arm_value.policy.value"]
    assert figures["qini.upgrade.70"] > 1.645 * figures["qini.upgrade.70.error"]
    overlap = acting[0].policy.overlap
    assert overlap is not None
    assert margins(overlap, OverlapRule())["effective rows"] > 1.0


@pytest.mark.parametrize(
    "world",
    [World(tenants=80, weeks=6, drawn=False), World(tenants=8, weeks=4)],
    ids=["history", "tiny"],
)
def test_a_world_without_evidence_says_why_there_is_no_picture(
    world: World, tmp_path: Path, silences: list[str]
) -> None:
    assert {path.stem for path in draw_plots(_fitted(world)[1], tmp_path)} == NAMES
    assert silences
    assert all("static" in said or "no arm was drawn" in said for said in silences)
