"""Every gate in turn refuses a real candidate alone: the champion stays, and the figure is told.

Where one fault would show in several gates (bad predictions are also badly calibrated), the other
gates' caps are opened in ``flyball.toml``, so that each is seen to refuse by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import commands.training_data
import training.candidate
import training.run
from commands.main import run
from flyball.economics import Economics
from flyball.home import Home
from flyball.plan import Limit, Plan
from training.contract import Contract
from training.dataset import Bools, Dataset, Floats
from training.effects import TRUST_SEGMENT, ArmEffects
from training.export.attribution import attribution_graph
from training.export.dose_effects import dose_effects_graph
from training.export.hazards import hazards_graph
from training.gate import Verdict
from training.outcome import Outcome
from training.outcome_model import FittedOutcome, Platt
from training.registry import CHAMPION, Registry, tag_name
from training.rehearsal import World, rehearse
from training.run import TrainingResult
from training.split import split_rows
from training.stakes import Stakes
from training.tracking import store_of, tracking

pytestmark = [pytest.mark.train, pytest.mark.slow]

HASH = "ab" * 8
Said = pytest.CaptureFixture[str]
Change = Callable[[Dataset], Dataset]

#: Caps that let anything through, by gate; a test closes only its own.
OPEN = {
    "margin_errors": 100,
    "brier_errors": 100,
    "slope_low": -100,
    "slope_high": 100,
    "error_share": 100,
    "segment_error_share": 100,
    "effect_slope_low": -100,
    "effect_slope_high": 100,
    "churn_cap": 1,
}


@dataclass
class Refusal:
    """What a refused training left behind."""

    home: Home
    champion: int
    code: int
    told: dict[str, Any]
    errors: str


@pytest.fixture
def attempt(
    home: Home,
    trained: tuple[Home, TrainingResult, TrainingResult],
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Said,
) -> Callable[..., Refusal]:
    """Runs ``flyball train`` on a home that has a champion."""
    contract = Contract(
        features=dataset.features,
        feature_hash=HASH,
        factor_groups={"demand": dataset.features[:2], "people": dataset.features[2:]},
    )
    monkeypatch.setattr(training.run, "catalogue_contract", lambda: contract)
    monkeypatch.setattr("features.catalogue.feature_hash", lambda: HASH)
    monkeypatch.setattr(commands.training_data, "load_stakes", lambda *_: STAKES)
    # Pictures are tested elsewhere and take longer than all the rest.
    monkeypatch.setattr("training.run_log.draw_plots", lambda *_: [])

    def train(rows: Dataset, closed: Sequence[str] | None = None, **caps: float) -> Refusal:
        chosen = {} if closed is None else {k: v for k, v in OPEN.items() if k not in closed}
        lines = [f"{name} = {value}" for name, value in (chosen | caps).items()]
        home.settings.write_text("\n".join(["[gates]", *lines]) + "\n", encoding="utf-8")
        monkeypatch.setattr(commands.training_data, "load_dataset", lambda *_: rows)
        code = run(["--home", str(home.root), "train", "--json"])
        said = capsys.readouterr()
        return Refusal(home, trained[2].version, code, json.loads(said.out), said.err)

    return train


def assert_refused(found: Refusal, *names: str, others: bool = False) -> None:
    """Refused by ``names`` and by nothing else, everywhere that it is told.

    With ``others`` the same gate may refuse other outcomes or segments as well.
    """
    table = {gate["name"]: gate for gate in found.told["gates"]["table"]}
    failed = {name for name, gate in table.items() if gate["verdict"] == Verdict.FAILED}
    assert set(names) <= failed, found.errors
    left = failed - set(names)
    gates = {name.split(".")[0] for name in names}
    assert not {name for name in left if not others or name.split(".")[0] not in gates}
    assert found.code == 3
    assert found.told["champion"] == found.champion
    registry = Registry(store_of(found.home))
    holder, version = registry.holder(CHAMPION), registry.version(found.told["version"])
    assert holder is not None
    assert holder.version == found.champion
    assert version.gates == "failed"
    with tracking(store_of(found.home)) as client:
        metrics = client.get_run(version.run_id).data.metrics
    for name in names:
        gate = table[name]
        refusal = next(line for line in found.errors.splitlines() if f"! {name} failed" in line)
        assert f"failed: {gate['figure']:.4g}, wanted {gate['rule']}" in refusal
        assert f"({gate['threshold']:.4g}" in refusal
        if gate["setting"]:
            assert f"set by {gate['setting']}" in refusal
        assert metrics[f"gate.{tag_name(name)}"] == pytest.approx(gate["figure"])
        assert version.tags[f"gate.{tag_name(name)}"].startswith("failed: ")


# --- the world changes after the candidate learned ------------------------------------------------


def changed(dataset: Dataset, **columns: Any) -> Dataset:
    rows = dataset.rows
    for name, values in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(values))
    return replace(dataset, rows=rows)


def column(dataset: Dataset, name: str) -> Floats:
    return np.nan_to_num(np.asarray(dataset.rows[name].to_numpy(), dtype=np.float64))


def churn_in_test(dataset: Dataset, choose: Callable[[Bools, Bools, Floats], Bools]) -> Dataset:
    """Judged weeks in which other tenants churn: ``choose(churned, free, risk)`` over those rows.

    ``free`` are rows without any outcome, ``risk`` grows with the log-odds of churn.
    """
    test, outcome = split_rows(dataset).test, dataset.codes().copy()
    churned = outcome[test] == int(Outcome.CHURN)
    free = outcome[test] == 0
    now = choose(churned, free, -column(dataset, "logins")[test])
    late = outcome[test]
    late[churned & ~now] = 0
    late[now & (churned | free)] = int(Outcome.CHURN)
    outcome[test] = late
    return changed(dataset, outcome=outcome)


def to_the_least_likely(churned: Bools, free: Bools, risk: Floats) -> Bools:
    order = np.argsort(np.where(churned | free, risk, np.inf), kind="stable")
    now = np.zeros(len(churned), dtype=bool)
    now[order[: int(churned.sum())]] = True
    return now


def half_of_the_most_likely(churned: Bools, free: Bools, risk: Floats) -> Bools:
    order = np.argsort(-risk, kind="stable")[: len(risk) // 8]
    spared = [at for at in order if churned[at]]
    now = churned.copy()
    now[spared[: int(0.6 * len(spared))]] = False
    return now


def half_to_the_most_likely(churned: Bools, free: Bools, risk: Floats) -> Bools:
    now: Bools = churned & (np.arange(len(churned)) % 2 == 0)
    order = np.argsort(np.where(free, -risk, np.inf), kind="stable")
    now[order[: int(churned.sum() - now.sum())]] = True
    return now


def several_times_as_many(
    churned: Bools, free: Bools, risk: Floats, *, only: Bools | None = None
) -> Bools:
    rng = np.random.default_rng(12)
    able = free if only is None else free & only
    weight = np.where(able, np.exp(np.clip(risk, -3.0, 3.0)), 0.0)
    count = 6 * int((churned if only is None else churned & only).sum())
    more = rng.choice(len(free), count, replace=False, p=weight / weight.sum())
    now = churned.copy()
    now[more] = True
    return now


def test_log_loss_against_the_base_rate(attempt: Callable[..., Refusal], dataset: Dataset) -> None:
    rows = churn_in_test(dataset, to_the_least_likely)
    assert_refused(attempt(rows, closed=()), "log_loss_vs_base.churn")


def test_brier_score_against_the_base_rate(
    attempt: Callable[..., Refusal], dataset: Dataset
) -> None:
    rows = churn_in_test(dataset, half_of_the_most_likely)
    assert_refused(attempt(rows, closed=(), brier_errors=0), "brier_vs_base.churn")


def test_calibration_slope(attempt: Callable[..., Refusal], dataset: Dataset) -> None:
    rows = churn_in_test(dataset, half_to_the_most_likely)
    assert_refused(attempt(rows, closed=("slope_low", "slope_high")), "calibration_slope.churn")


def test_calibration_error(attempt: Callable[..., Refusal], dataset: Dataset) -> None:
    rows = churn_in_test(dataset, several_times_as_many)
    assert_refused(attempt(rows, closed=("error_share",)), "calibration_error.churn")


def test_calibration_error_of_one_segment(
    attempt: Callable[..., Refusal], dataset: Dataset
) -> None:
    smb = np.asarray(dataset.text("segment"))[split_rows(dataset).test] == "smb"
    rows = churn_in_test(dataset, lambda c, f, r: several_times_as_many(c, f, r, only=smb))
    refused = attempt(rows, closed=("segment_error_share",))
    assert_refused(refused, "calibration_error.churn.smb")


# --- the candidate is worse than the champion -----------------------------------------------------


@pytest.fixture
def broken_join(dataset: Dataset) -> Dataset:
    """What taught the candidate had another tenant's growth; what judges it has not."""
    growth, test = column(dataset, "growth"), split_rows(dataset).test
    taught = np.flatnonzero(~test)
    growth[taught] = growth[np.random.default_rng(5).permutation(taught)]
    return changed(dataset, growth=growth)


def test_log_loss_against_the_champion(
    attempt: Callable[..., Refusal], broken_join: Dataset
) -> None:
    found = attempt(broken_join, closed=("margin_errors",))
    assert_refused(found, "log_loss_vs_champion.upgrade", others=True)


def test_brier_score_against_the_champion(
    attempt: Callable[..., Refusal], broken_join: Dataset
) -> None:
    found = attempt(broken_join, closed=("brier_errors",))
    assert_refused(found, "brier_vs_champion.upgrade", others=True)


# --- the export is wrong --------------------------------------------------------------------------


def test_probabilities_of_the_graph(
    attempt: Callable[..., Refusal], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:

    def loses_a_digit(outcomes: Sequence[FittedOutcome], width: int) -> bytes:
        rounded = [
            replace(each, calibration=Platt(round(each.calibration.slope, 2), each_shift(each)))
            for each in outcomes
        ]
        return hazards_graph(rounded, width)

    def each_shift(each: FittedOutcome) -> float:
        return round(each.calibration.intercept, 1)

    monkeypatch.setattr("training.export.draft.hazards_graph", loses_a_digit)
    assert_refused(attempt(dataset), "onnx_parity")


def test_effects_of_the_graph(
    attempt: Callable[..., Refusal], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "training.estimators.served.dose_effects_graph",
        lambda model, width: dose_effects_graph(model, width, quiet_dose=0.0),
    )
    assert_refused(attempt(dataset), "onnx_parity.effects")


def test_attribution_of_the_graph(
    attempt: Callable[..., Refusal], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "training.export.draft.attribution_graph",
        lambda outcomes, groups, count: attribution_graph(outcomes, groups[::-1], count),
    )
    assert_refused(attempt(dataset), "onnx_parity.attribution")


def test_scoring_latency(attempt: Callable[..., Refusal], dataset: Dataset) -> None:
    assert_refused(attempt(dataset, latency_ratio=0.001), "scoring_latency")


def test_feature_contract(
    attempt: Callable[..., Refusal], dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.catalogue.feature_hash", lambda: "cd" * 8)
    assert_refused(attempt(dataset), "feature_contract")


# --- the policy would do harm ---------------------------------------------------------------------


def _plan(name: str, rank: int) -> Plan:
    return Plan(
        plan=name,
        rank=rank,
        monthly_price_minor=10_000 * rank,
        currency="USD",
        primary_meter="api.requests",
        limits={"api.requests": Limit(base=100, contract=70, per="hour")},
    )


STAKES = Stakes(
    economics=Economics(),
    plans={name: _plan(name, at) for at, name in enumerate(("basic", "pro"), start=1)},
)


@dataclass(frozen=True)
class Claims:
    """A learner that claims what a unit of limit taken away does, whatever the data say."""

    upgrade: float = 0.0
    churn: float = 0.0

    def fit(self, dataset: Dataset, segments: tuple[str, ...]) -> ArmEffects:
        taken = np.asarray([(100 - arm) / 100.0 for arm in dataset.arms])
        mean = np.zeros((len(segments) + 1, len(dataset.arms), 3))
        mean[:, :, 0], mean[:, :, 2] = self.upgrade * taken, self.churn * taken
        return ArmEffects(
            mean=mean,
            sd=np.zeros_like(mean),
            trust=np.full(mean.shape[:2], TRUST_SEGMENT, dtype=np.int64),
            arms=dataset.arms,
            segments=segments,
            summary="claimed",
        )


@pytest.fixture
def claiming(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def claim(**effects: float) -> None:
        monkeypatch.setattr(training.candidate, "DoseEstimator", lambda *_: Claims(**effects))

    return claim


def world(**truth: Any) -> Dataset:
    common: dict[str, Any] = {
        "tenants": 2000,
        "weeks": 18,
        "base": (0.05, 0.01, 0.03),
        "organisation_share": 0.1,
    }
    return rehearse(World(**(common | truth)))


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


def test_churn_that_the_policy_causes(
    attempt: Callable[..., Refusal], claiming: Callable[..., None]
) -> None:
    claiming(upgrade=1.2, churn=0.5)
    rows = world(base=(0.05, 0.01, 0.08), upgrade_effect=1.2, churn_effect=0.5)
    found = attempt(rows, closed=("churn_cap",), value_tolerance=1)
    assert_refused(found, "churn_harm", others=True)


# --- nothing can be judged ------------------------------------------------------------------------


def test_too_little_evidence(attempt: Callable[..., Refusal], dataset: Dataset) -> None:
    found = attempt(dataset.take(np.arange(len(dataset)) % 40 == 0))
    assert found.told["gates"]["status"] == "insufficient"
    assert found.code == 3
    assert found.told["champion"] == found.champion
    assert "too little evidence; version 2 stays champion" in found.errors


def test_every_gate_is_refused_by_a_test_above() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "gates.md"
    table = page.read_text("utf-8").split("| gate | figure |")[1].split("\n\n")[0]
    named = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    here = Path(__file__).read_text("utf-8")
    missing = {
        name for name in named - {"evidence"} if f'"{name}"' not in here and f'"{name}.' not in here
    }
    assert not missing
