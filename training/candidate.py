"""A candidate: fitted, exported and held against every gate, not yet written anywhere."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from flyball.errors import InvalidInput
from flyball.gate_settings import GateSettings
from flyball.instant import format_instant
from models.bundle import Bundle
from models.scorer import Scorer
from training.card import trust_by_segment, trust_level, write_card
from training.contract import Contract
from training.dataset import Dataset, Floats, Single
from training.effects import ArmEffects, EffectEstimator
from training.estimators.dose_learner import DoseLearner
from training.estimators.served import DoseEstimator
from training.evaluation import Judged, Report, evaluate, judge
from training.explored import explored_limits
from training.export.draft import Training, draft_bundle, with_effects, with_gates
from training.export.parity import (
    effect_rows,
    threshold_rows,
    worst_contribution_difference,
    worst_difference,
    worst_effects_difference,
)
from training.gate import GateTable
from training.gates import Technical, run_gates
from training.held_out import held_out
from training.latency import latency_ratio
from training.policy_gates import PolicyReport, policy_gates, silent_policy
from training.risk import RiskModel, fit_risks
from training.split import Split, judging_organisations, split_rows
from training.stakes import Stakes

#: Rows on which the effects graph is compared; the others cost time and show nothing new.
PARITY_ROWS = 10_000

#: Told what begins now, for progress.
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Rival:
    """The champion to compare with, or why there is none."""

    bundle: Bundle | None = None
    absent: str = "there is no champion yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A judged candidate before it is written anywhere."""

    models: tuple[RiskModel, ...]
    effects: ArmEffects
    bundle: Bundle
    judged: tuple[Judged, ...]
    report: Report
    gates: GateTable
    policy: PolicyReport


def fit_and_judge(
    dataset: Dataset,
    contract: Contract,
    *,
    rival: Rival | None = None,
    seed: int = 7,
    estimator: EffectEstimator | None = None,
    settings: GateSettings | None = None,
    stakes: Stakes | None = None,
    created_us: int | None = None,
    code_hash: str = "",
    notice: Notice = lambda _: None,
) -> Fitted:
    """Fit risk models and effects, export them, and hold the result against every gate.

    ``code_hash`` is that of the features that this version computes, by default the contract's.

    Raises
    ------
    InvalidInput
        The dataset has no rows, or other features than the contract.
    """
    _check(dataset, contract)
    limits = settings or GateSettings()
    code_hash = code_hash or contract.feature_hash
    split = split_rows(dataset)
    notice("fitting risk models")
    models = fit_risks(dataset, split, seed=seed)
    notice("estimating arm effects")
    segments = tuple(sorted(set(dataset.text("segment"))))
    learner = estimator or DoseEstimator(DoseLearner(seed=seed))
    effects = learner.fit(dataset, segments)
    notice("exporting to ONNX")
    made = time.time_ns() // 1000 if created_us is None else created_us
    window = _data_window(dataset, split, effects)
    bundle = draft_bundle(_training(dataset, contract, models, effects, window, made))
    notice("evaluating and gating")
    test = dataset.take(split.test)
    judged = _judged(test, models, bundle)
    report = evaluate(test, judged)
    champion, absent = _champion(test, rival or Rival(), contract)
    gates = run_gates(
        judged,
        report,
        _technical(test if len(test) else dataset, models, effects, bundle, code_hash),
        kinds={model.fitted.outcome: model.fitted.kind for model in models},
        champion=champion,
        champion_absent=absent,
        settings=limits,
    )
    notice("trying the policy on organisations it has not seen")
    policy = _policy(dataset, bundle, effects, learner, stakes or Stakes(), limits)
    gates = GateTable((*gates.gates, *policy.gates))
    card = write_card(bundle.version, dataset, models, effects, report, gates)
    gated = with_gates(bundle, gates=gates.plain(), metrics=report.plain(), card=card)
    return Fitted(
        models=models,
        effects=effects,
        bundle=gated,
        judged=judged,
        report=report,
        gates=gates,
        policy=policy,
    )


def _policy(
    dataset: Dataset,
    bundle: Bundle,
    effects: ArmEffects,
    learner: EffectEstimator,
    stakes: Stakes,
    limits: GateSettings,
) -> PolicyReport:
    """Learn the effects once more without the judging organisations, and try them there.

    All their weeks count: arms were drawn for each organisation by itself, so no week is known
    better for having been others' too, and a veto needs every event it can get.
    """
    judging = judging_organisations(dataset)
    if not effects.present:
        return silent_policy("the policy is static: no arm has an effect that may be used")
    blind = learner.fit(dataset.take(~judging), effects.segments)
    if not blind.present:
        return silent_policy("too little evidence without the organisations that judge")
    held = held_out(dataset.take(judging), with_effects(bundle, blind), stakes)
    if held is None:
        return silent_policy("no organisation that judges was drawn")
    return policy_gates(held, limits)


def _check(dataset: Dataset, contract: Contract) -> None:
    if not len(dataset):
        raise InvalidInput(
            "There is nothing to learn from: no period is over.",
            "Import usage and subscriptions that span at least a few weeks.",
            field="as_of",
        )
    if dataset.features != contract.features:
        raise InvalidInput("The dataset's features are not those of the catalogue.")


def _dose_terms(models: Sequence[RiskModel]) -> dict[str, dict[str, float]]:
    return {
        model.fitted.outcome: {
            "friction": model.calibration.friction,
            "relief": model.calibration.relief,
        }
        for model in models
    }


def _training(
    dataset: Dataset,
    contract: Contract,
    models: Sequence[RiskModel],
    effects: ArmEffects,
    window: dict[str, object],
    made: int,
) -> Training:
    matrix = dataset.matrix()
    finite = np.where(np.isinf(matrix), np.float32(np.nan), matrix)
    return Training(
        version=_version(dataset, made),
        created_us=made,
        as_of_us=dataset.as_of_us,
        features=contract.features,
        feature_hash=contract.feature_hash,
        factor_groups=contract.factor_groups,
        outcomes=[model.fitted for model in models],
        arms=dataset.arms,
        period_days=dataset.period_days,
        segments=effects.segments,
        effect_mean=effects.mean,
        effect_sd=effects.sd,
        effect_trust=effects.trust,
        effects_graph=effects.graph,
        sample=finite[:: max(1, len(finite) // 64)],
        calibration=_dose_terms(models),
        data_window=window,
    )


def _data_window(dataset: Dataset, split: Split, effects: ArmEffects) -> dict[str, object]:
    hours = dataset.start_hours()
    explored = explored_limits(dataset)
    return {
        "kind": dataset.kind,
        "rows": len(dataset),
        "first_hour": int(hours.min()),
        "last_hour": int(hours.max()),
        "cut_hour": split.cut_hour,
        "dropped": dict(dataset.dropped),
        "events": dataset.events(),
        "effects": effects.summary,
        "trust": {"level": trust_level(effects), "segments": trust_by_segment(effects)},
        "evidence": dict(effects.evidence),
        # Absent where the table does not say: nothing falls back then.
        **({} if explored is None else {"limits": explored.plain()}),
    }


def _version(dataset: Dataset, made_us: int) -> str:
    """``2026-01-05T00.1a2b3c4d``: as-of hour, and a name for this training."""
    stamp = format_instant(dataset.as_of_us)[:13]
    salt = hashlib.blake2b(f"{made_us}/{dataset.as_of_us}".encode(), digest_size=4).hexdigest()
    return f"{stamp}.{salt}"


def _judged(test: Dataset, models: Sequence[RiskModel], bundle: Bundle) -> tuple[Judged, ...]:
    """The candidate on the test rows, as the exported graphs predict them."""
    bases = [model.fitted.base_rate for model in models]
    return judge(test, _hazards(bundle, test.matrix()), bases, _dose_terms(models))


def _hazards(bundle: Bundle, x: Single) -> Floats:
    return Scorer(bundle).hazards(x).astype(np.float64)


def _technical(
    rows: Dataset,
    models: Sequence[RiskModel],
    effects: ArmEffects,
    bundle: Bundle,
    code_hash: str,
) -> Technical:
    x, fitted = rows.matrix(), [model.fitted for model in models]
    dose = rows.dose().astype(np.float32)
    probes = np.concatenate([x, threshold_rows(fitted, x)])
    scorer = Scorer(bundle)
    met = effect_rows(x[:PARITY_ROWS], dose[:PARITY_ROWS], len(effects.segments))
    return Technical(
        parity=worst_difference(scorer, fitted, probes),
        effects_parity=worst_effects_difference(scorer, effects, *met),
        attribution_parity=worst_contribution_difference(scorer, fitted, probes),
        latency_ratio=latency_ratio(bundle, x, rows.dose()),
        bundle_hash=bundle.manifest.feature_hash,
        code_hash=code_hash,
    )


def _champion(
    test: Dataset, rival: Rival, contract: Contract
) -> tuple[tuple[Judged, ...] | None, str]:
    """The champion on the same rows; not comparable where its features mean something else."""
    if rival.bundle is None:
        return None, rival.absent
    manifest = rival.bundle.manifest
    if manifest.feature_hash != contract.feature_hash:
        return None, "the champion was trained on other feature definitions"
    if manifest.period_days != test.period_days:
        return None, "the champion predicts periods of another length"
    bases = [manifest.outcome_models[name].base_rate for name in manifest.outcomes]
    return judge(test, _hazards(rival.bundle, test.matrix()), bases, manifest.calibration), ""
