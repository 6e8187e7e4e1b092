"""Gates block what they should, say by how much, and never pass what they could not judge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from flyball.gate_settings import GateSettings
from training.evaluation import Judged, Report, quality
from training.gate import GateTable, Verdict, above, at_least, at_most
from training.gates import Technical, run_gates
from training.outcome_model import OUTCOMES, sigmoid

RNG = np.random.default_rng(8)
ROWS = 20_000
LOG_ODDS = RNG.normal(-3.5, 1.0, ROWS)
TRUE = sigmoid(LOG_ODDS)
HAPPENED = RNG.random(ROWS) < TRUE
KINDS = dict.fromkeys(OUTCOMES, "logistic")
FINE = Technical(
    parity=1e-8,
    effects_parity=0.0,
    attribution_parity=0.0,
    latency_ratio=1.1,
    bundle_hash="a" * 16,
    code_hash="a" * 16,
)


def judged(probability: np.ndarray = TRUE, happened: np.ndarray = HAPPENED) -> list[Judged]:
    return [
        Judged(
            outcome=name,
            probability=probability,
            base=np.full(ROWS, HAPPENED.mean()),
            happened=happened,
            cluster=np.arange(ROWS) // 4,
        )
        for name in OUTCOMES
    ]


def table(candidate: list[Judged] | None = None, **options: Any) -> GateTable:
    rows = candidate or judged()
    overall = {j.outcome: quality(j.probability, j.base, j.happened) for j in rows}
    chosen: dict[str, Any] = {"technical": FINE, "kinds": KINDS} | options
    technical = chosen.pop("technical")
    return run_gates(rows, Report(overall), technical, **chosen)


def verdicts(gates: GateTable) -> dict[str, Verdict]:
    return {gate.name: gate.verdict for gate in gates.gates}


def failed(gates: GateTable) -> set[str]:
    return {gate.name for gate in gates.failed}


def test_a_good_first_version_passes_and_the_champions_gates_cannot_speak() -> None:
    gates = table()
    assert gates.status == "passed"
    assert verdicts(gates)["log_loss_vs_champion.churn"] is Verdict.NOT_APPLICABLE


def test_a_model_no_better_than_the_base_rate_fails() -> None:
    gates = table(judged(np.full(ROWS, HAPPENED.mean())))
    assert "log_loss_vs_base.churn" in failed(gates)
    assert gates.status == "failed"


def test_random_rankings_fail_on_log_loss() -> None:
    assert "log_loss_vs_base.churn" in failed(table(judged(RNG.permutation(TRUE))))


def test_a_model_clearly_worse_than_the_champion_fails() -> None:
    noisy = sigmoid(0.4 * LOG_ODDS - 2.0)
    assert not failed(table(judged(), champion=judged(noisy)))
    assert {"log_loss_vs_champion.churn"} <= failed(table(judged(noisy), champion=judged()))


def test_a_model_equal_to_the_champion_passes() -> None:
    gates = table(judged(), champion=judged())
    assert verdicts(gates)["log_loss_vs_champion.churn"] is Verdict.PASSED
    assert verdicts(gates)["brier_vs_champion.churn"] is Verdict.PASSED


def test_losing_a_model_that_the_champion_has_fails() -> None:
    flat = judged(np.full(ROWS, HAPPENED.mean()))
    gates = table(flat, champion=judged(), kinds=dict.fromkeys(OUTCOMES, "none"))
    assert "log_loss_vs_champion.churn" in failed(gates)


@pytest.mark.parametrize("factor", [2.5, 0.3])
def test_probabilities_that_are_off_by_a_factor_fail_on_calibration(factor: float) -> None:
    gates = table(judged(np.clip(TRUE * factor, 0.0, 1.0)))
    assert "calibration_error.churn" in failed(gates)


@pytest.mark.parametrize("slope", [0.4, 2.2])
def test_wrongly_confident_probabilities_fail_on_the_slope(slope: float) -> None:
    shift = -3.5 * (1.0 - slope)
    gates = table(judged(sigmoid(slope * LOG_ODDS + shift)))
    assert "calibration_slope.churn" in failed(gates)


def test_a_segment_that_is_off_fails_by_name() -> None:
    rows = judged()
    overall = {j.outcome: quality(j.probability, j.base, j.happened) for j in rows}
    off = quality(TRUE / 6.0, np.full(ROWS, HAPPENED.mean()), HAPPENED)
    report = Report(overall, {"segment": {"smb": {"churn": off}}})
    gates = run_gates(rows, report, FINE, kinds=KINDS)
    assert failed(gates) == {"calibration_error.churn.smb"}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"parity": 1e-3}, "onnx_parity"),
        ({"parity": float("nan")}, "onnx_parity"),
        ({"latency_ratio": 9.0}, "scoring_latency"),
        ({"code_hash": "b" * 16}, "feature_contract"),
    ],
)
def test_a_bundle_that_breaks_its_promises_fails(change: dict[str, Any], name: str) -> None:
    assert failed(table(technical=replace(FINE, **change))) == {name}


def test_what_cannot_be_judged_is_not_applicable_and_does_not_pass() -> None:
    few = np.zeros(ROWS, dtype=bool)
    few[:3] = True
    gates = table(judged(TRUE, few))
    assert verdicts(gates)["evidence"] is Verdict.NOT_APPLICABLE
    assert gates.status == "insufficient"
    assert not gates.passed
    assert not failed(gates)


def test_an_outcome_without_a_model_is_not_held_against_the_base_rate() -> None:
    gates = table(kinds=KINDS | {"downgrade": "none"})
    assert verdicts(gates)["log_loss_vs_base.downgrade"] is Verdict.NOT_APPLICABLE
    assert gates.status == "passed"


def test_a_refusal_says_which_gate_what_it_found_and_what_it_wanted() -> None:
    gates = table(technical=replace(FINE, parity=0.25))
    assert gates.failed[0].sentence() == (
        "onnx_parity failed: 0.25, wanted largest gap in probability (1e-05, set by gates.parity)"
    )


def test_thresholds_are_inclusive_where_they_should_be_and_nan_fails() -> None:
    assert at_least("x", 1.0, 1.0, "").verdict is Verdict.PASSED
    assert at_most("x", 1.0, 1.0, "").verdict is Verdict.PASSED
    assert above("x", 1.0, 1.0, "").verdict is Verdict.FAILED
    for make in (at_least, at_most, above):
        assert make("x", float("nan"), 1.0, "").verdict is Verdict.FAILED
        assert make("x", float("nan"), 1.0, "").plain()["figure"] is None


def test_thresholds_can_be_set() -> None:
    strict = GateSettings(latency_ratio=1.0)
    assert failed(table(settings=strict)) == {"scoring_latency"}


def test_every_gate_is_documented() -> None:
    from pathlib import Path

    page = (Path(__file__).parents[3] / "docs" / "reference" / "gates.md").read_text()
    for gate in table().gates:
        assert f"`{gate.name.split('.')[0]}`" in page
