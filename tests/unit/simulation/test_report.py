from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from simulation.cell import WorldSpec, cell_path, read_cell, write_cell
from simulation.report.grid import Block, blocks, bound95
from simulation.report.page import page
from simulation.report.plots import frontier, gains

SPEC = WorldSpec(family="smooth", tenants=600, seed=1)


def _figures(gain: float, **more: Any) -> dict[str, Any]:
    percents = (
        "realised", "tenant_equal", "revenue_retention", "conversion_lift", "friction_churn",
        "regret", "worst_segment", "friction_share", "overdraft_share", "ever_tightened",
    )  # fmt: skip
    zero = {f"{name}_percent": 0.0 for name in percents}
    return {
        **zero,
        "value_minor": 1e9,
        "against_static_percent": gain,
        "worst_segment": "retail",
        "violations": {"step": 0},
        **more,
    }


def _cell(family: str, policy: str, gain: float, seed: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "family": family,
        "tenants": 600,
        "seed": seed,
        "policy": policy,
        "figures": _figures(gain, **more),
        "learnt": _learnt(seed) if policy == "value" else {},
    }


def _learnt(seed: int) -> dict[str, Any]:
    effects = "upgrade: open" if seed == 1 else "insufficient evidence: 91 events"
    return {"promoted": seed == 1, "effects": effects}


@pytest.fixture
def found() -> list[Block]:
    return blocks(
        [
            _cell("smooth", "value", 2.0),
            _cell("smooth", "value", 1.0, seed=2),
            _cell("smooth", "static", 0.0),
            _cell("habit", "value", -1.0, violations={"step": 2}),
            _cell("habit", "static", 0.0),
            _cell("habit", "a<b", 0.5),
        ],
        "value",
    )


def test_the_family_in_which_the_policy_does_worst_comes_first(found: list[Block]) -> None:
    assert [block.family for block in found] == ["habit", "smooth"]
    assert [line.policy for line in found[0].lines] == ["a<b", "static", "value"]


def test_seeds_are_averaged_with_a_bound_and_violations_are_summed(found: list[Block]) -> None:
    line = found[1].line("value")
    assert line is not None
    assert (line.gain, line.seeds) == (1.5, 2)
    assert line.bound == pytest.approx(6.314 * 0.5)
    worst = found[0].line("value")
    assert worst is not None
    assert worst.violations == 2
    assert math.isnan(worst.bound)
    assert found[0].trained == "1 of 1 trainings ended with a champion"
    assert found[1].trained.endswith("champion, 1 with insufficient evidence of effects")


def test_a_bound_narrows_with_seeds() -> None:
    assert math.isnan(bound95([1.0]))
    assert bound95([1.0, 2.0] * 10) < bound95([1.0, 2.0] * 2)


def test_plots_are_well_formed_and_name_every_policy(found: list[Block]) -> None:
    for svg in (gains(found[0]), frontier(found)):
        text = "".join(ElementTree.fromstring(svg).itertext())
        for policy in ("value", "static", "a<b"):
            assert policy in text


def test_the_page_says_settings_figures_and_what_they_mean(found: list[Block]) -> None:
    html = page(found, {"seeds": "1,2", "note": "<&>"}, "value")
    assert html.index("habit, 600 tenants") < html.index("smooth, 600 tenants")
    assert "+1.50 ± 3.16" in html
    assert "&lt;&amp;&gt;" in html
    assert "a<b" not in html
    assert "Nothing is averaged over families" in html


def test_a_result_is_found_again_only_for_the_same_world(tmp_path: Path) -> None:
    assert read_cell(tmp_path, SPEC, "static") is None
    write_cell(tmp_path, SPEC, "static", {"value_minor": 1.0}, {})
    kept = read_cell(tmp_path, SPEC, "static")
    assert kept is not None
    assert kept["figures"] == {"value_minor": 1.0}
    other = WorldSpec(family="smooth", tenants=600, seed=1, weeks=5)
    assert read_cell(tmp_path, other, "static") is None


def test_a_damaged_result_counts_as_missing(tmp_path: Path) -> None:
    cell_path(tmp_path, SPEC, "static").write_text('{"format": 1')
    assert read_cell(tmp_path, SPEC, "static") is None
