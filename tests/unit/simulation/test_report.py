from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from simulation.cell import WorldSpec, cell_path, read_cell, write_cell
from simulation.report.columns import shown
from simulation.report.criteria import criteria
from simulation.report.frontier import frontier
from simulation.report.grid import Block, blocks, bound95
from simulation.report.page import page
from simulation.report.plots import gains

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
    for svg, named in ((gains(found[0]), "static"), (frontier(found[0]), "habit, 600")):
        text = "".join(ElementTree.fromstring(svg).itertext())
        for words in ("value", "a<b", named):
            assert words in text


def test_a_frontier_joins_one_policy_under_several_budgets_from_the_tightest_on() -> None:
    cells = [
        _cell("smooth", policy, gain, friction_churn_percent=gain)
        for policy, gain in (("value@none", 3.0), ("value", 2.0), ("value@0.3", 1.0), ("x", 0.5))
    ]
    (block,) = blocks(cells, "value")
    root = ElementTree.fromstring(frontier(block))
    joined = [e for e in root.iter("line") if e.get("stroke") == "#0b5fa5"]
    assert len(joined) == 2
    assert float(joined[0].get("x1", 0)) < float(joined[0].get("x2", 0))


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
    cell_path(tmp_path, SPEC, "static").write_text('{"format": 2')
    assert read_cell(tmp_path, SPEC, "static") is None


def _verdicts(cells: list[dict[str, Any]], gaming: float | None = None) -> dict[str, str]:
    found = criteria(blocks(cells, "value"), "value", gaming)
    return {f"{each.name} {each.where}": each.verdict for each in found}


def test_harm_is_met_missed_or_not_known_and_never_averaged_over_families() -> None:
    cells = [_cell("smooth", "value", gain, seed) for seed, gain in ((1, 3.0), (2, 2.8))]
    cells += [_cell("habit", "value", gain, seed) for seed, gain in ((1, -0.1), (2, -0.4))]
    cells += [_cell("null", "value", 0.0)]
    verdicts = _verdicts(cells)
    assert verdicts["harm smooth, 600"] == "met"
    assert verdicts["harm habit, 600"] == "missed"
    assert verdicts["harm null, 600"] == "not known"


def test_restraint_counts_seeds_and_the_harm_budget_is_held_against_predictions() -> None:
    shares = [100.0] * 9 + [80.0]
    more: list[dict[str, Any]] = [
        {"chosen_at_one_percent": share, "predicted_harm_percent": 1.3, "friction_churn_percent": 1}
        for share in shares
    ]
    cells = [_cell("null", "value", 0.0, seed, **m) for seed, m in enumerate(more, 1)]
    verdicts = _verdicts(cells)
    assert verdicts["restraint null, 600"] == "met"
    assert verdicts["harm budget binds null, 600"] == "missed"
    assert verdicts["friction-induced churn null, 600"] == "met"
    # Every seed but the first said that evidence was insufficient; one of them acted.
    assert verdicts["insufficient evidence null, 600"] == "missed"
    assert _verdicts(cells[1:])["restraint null, 600"] == "missed"


def test_gains_are_judged_where_acting_helps_and_from_ten_thousand_tenants_on() -> None:
    def at(size: int, value: float) -> list[dict[str, Any]]:
        gains = {"value": value, "oracle": 3.0, "constant_85": 1.0, "risk_rule": 0.5}
        return [{**_cell("smooth", p, g), "tenants": size} for p, g in gains.items()]

    verdicts = _verdicts([*at(1_500, 1.6), *at(10_000, 0.9), *at(20_000, 1.6)], gaming=6.0)
    assert verdicts["gain smooth, 1,500"] == "not known"
    assert verdicts["above crude policies 1,500 tenants"] == "not known"
    assert verdicts["gain smooth, 10,000"] == "missed"
    assert verdicts["gain smooth, 20,000"] == "met"
    assert verdicts["above crude policies 10,000 tenants"] == "missed"
    assert verdicts["above crude policies 20,000 tenants"] == "met"
    assert verdicts["gaming everywhere"] == "missed"
    bound = {**_cell("smooth", "exploring_oracle", 1.7), "tenants": 10_000}
    assert _verdicts([*at(10_000, 0.9), bound])["gain smooth, 10,000"] == "met"
    nothing = _verdicts([_cell("null", "value", 0.0), _cell("null", "oracle", 0.0)])
    assert not any(name.startswith("gain") for name in nothing)


def test_families_held_out_of_tuning_come_apart_and_last() -> None:
    cells = [_cell(family, "value", gain) for family, gain in (("delayed", -2.0), ("smooth", 1.0))]
    found = blocks(cells, "value")
    assert [(block.family, block.held_out) for block in found] == [
        ("smooth", False), ("delayed", True),
    ]  # fmt: skip
    html = page(found, {}, "value")
    assert html.index("held out of all tuning") < html.index("What it must show")


def test_the_weeks_until_harm_was_noticed_say_in_how_many_seeds() -> None:
    watched: dict[str, Any] = {"chosen_at_one_percent": 0.0}
    cells = [
        _cell("habit", "reckless", -1.0, 1, **watched, weeks_to_detect_harm=8),
        _cell("habit", "reckless", -1.0, 2, **watched, weeks_to_detect_harm=None),
        _cell("habit", "static", 0.0),
        _cell("habit", "value", 0.0, **watched, weeks_to_detect_harm=None),
    ]
    (block,) = blocks(cells, "reckless")
    text = {line.policy: shown(line, "weeks_to_detect_harm") for line in block.lines}
    assert text == {"reckless": "8 (1 of 2)", "static": "-", "value": "never"}
