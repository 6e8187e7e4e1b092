"""From fitted models to a bundle in memory, ready for the gates and then to be signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from flyball.arm import NEUTRAL, ArmGrid
from flyball.errors import InvalidInput
from models.bundle import Bundle
from models.golden import golden_of
from models.manifest import FactorGroup, Golden, Manifest, OutcomeModel
from models.scorer import Scorer
from training.effects import ArmEffects
from training.export.attribution import attribution_graph
from training.export.effects import effects_graph
from training.export.hazards import hazards_graph
from training.outcome_model import FittedOutcome

#: Rows kept in the manifest as golden.
GOLDEN_ROWS = 8


@dataclass(frozen=True, kw_only=True)
class Training:
    """Everything that a bundle is made of.

    Parameters
    ----------
    version:
        The bundle's name: an identifier, unique, also its directory's name.
    created_us, as_of_us:
        When it was made, and the time after which it saw nothing.
    features, feature_hash:
        Ordered names, and the hash of their definitions.
    factor_groups:
        Group → its features; every feature is in exactly one.
    outcomes:
        The three fitted outcomes.
    arms, period_days, segments:
        Grid in hundredths, length of a decision, vocabulary of segments.
    effect_mean, effect_sd, effect_trust:
        [S+1, A, 3], [S+1, A, 3] and [S+1, A]; see :func:`training.export.effects.effects_graph`.
    effects_graph:
        Builds another effects graph, given the number of features; None for that of the tables.
    sample:
        [k, F] rows to take golden rows from (k ≥ 1); NaN is missing, and so is an infinity there.
    """

    version: str
    created_us: int
    as_of_us: int
    features: Sequence[str]
    feature_hash: str
    factor_groups: Mapping[str, Sequence[str]]
    outcomes: Sequence[FittedOutcome]
    arms: Sequence[int]
    period_days: int
    segments: Sequence[str]
    effect_mean: NDArray[Any]
    effect_sd: NDArray[Any]
    effect_trust: NDArray[Any]
    sample: NDArray[Any]
    effects_graph: Callable[[int], bytes] | None = None
    calibration: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    gates: Sequence[Mapping[str, Any]] = ()
    data_window: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""


def draft_bundle(training: Training) -> Bundle:
    """Build the graphs, score the golden rows and put the manifest together.

    The result can be given to a :class:`models.scorer.Scorer` at once (gates measure it) and to
    :func:`models.bundle.write_bundle`; use :func:`with_gates` in between.

    Raises
    ------
    InvalidInput
        If a model cannot be exported or shapes do not agree.
    """
    _check(training)
    width = len(training.features)
    groups = {name: at for at, name in enumerate(training.factor_groups)}
    owner = {f: groups[name] for name, members in training.factor_groups.items() for f in members}
    group_of = [owner[feature] for feature in training.features]
    graphs = {
        "hazards.onnx": hazards_graph(training.outcomes, width),
        "effects.onnx": _effects(training, width),
        "attribution.onnx": attribution_graph(training.outcomes, group_of, len(groups)),
    }
    unscored = Bundle(_manifest(training), graphs, training.card)
    golden = _golden(Scorer(unscored), training)
    return Bundle(msgspec.structs.replace(unscored.manifest, golden=golden), graphs, training.card)


def _effects(training: Training, width: int) -> bytes:
    if training.effects_graph is not None:
        return training.effects_graph(width)
    return effects_graph(training.effect_mean, training.effect_sd, training.effect_trust, width)


def with_gates(
    bundle: Bundle,
    *,
    gates: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Any] | None = None,
    card: str | None = None,
) -> Bundle:
    """The same bundle with what evaluation found out; JSON-ready values only."""
    manifest = msgspec.structs.replace(
        bundle.manifest,
        gates=[dict(gate) for gate in gates],
        metrics=bundle.manifest.metrics if metrics is None else dict(metrics),
    )
    return Bundle(manifest, bundle.graphs, bundle.card if card is None else card)


def with_effects(bundle: Bundle, effects: ArmEffects) -> Bundle:
    """The same bundle with another effects graph; for trying, its golden rows no longer hold."""
    width = len(bundle.manifest.features)
    if effects.graph is not None:
        graph = effects.graph(width)
    else:
        graph = effects_graph(effects.mean, effects.sd, effects.trust, width)
    return Bundle(bundle.manifest, {**bundle.graphs, "effects.onnx": graph}, bundle.card)


def _manifest(training: Training) -> Manifest:
    return Manifest(
        version=training.version,
        created_us=training.created_us,
        as_of_us=training.as_of_us,
        features=tuple(training.features),
        feature_hash=training.feature_hash,
        outcome_models={
            model.outcome: OutcomeModel(
                kind=model.kind,
                base_rate=model.base_rate,
                slope=model.calibration.slope,
                intercept=model.calibration.intercept,
                reason=model.reason,
            )
            for model in training.outcomes
        },
        arms=tuple(training.arms),
        period_days=training.period_days,
        segments=tuple(training.segments),
        factor_groups=tuple(
            FactorGroup(name, tuple(members)) for name, members in training.factor_groups.items()
        ),
        calibration=dict(training.calibration),
        metrics=dict(training.metrics),
        gates=[dict(gate) for gate in training.gates],
        data_window=dict(training.data_window),
        golden=Golden([], [], [], [], [], [], [], []),
        files={},
    )


def _golden(scorer: Scorer, training: Training) -> Golden:
    sample = np.asarray(training.sample, dtype=np.float32)
    picked = np.linspace(0, len(sample) - 1, min(GOLDEN_ROWS, len(sample))).astype(np.int64)
    # JSON has no infinities.
    x = np.where(np.isinf(sample[picked]), np.float32(np.nan), sample[picked])
    rows, arms = len(x), len(training.arms)
    segment = np.arange(rows, dtype=np.int64) % (len(training.segments) + 1)
    dose = np.linspace(-0.2, 0.3, rows * arms, dtype=np.float32).reshape(rows, arms)
    return golden_of(scorer, x, segment, dose)


def _check(training: Training) -> None:
    arms, segments = len(training.arms), len(training.segments)
    ArmGrid(tuple(training.arms))
    if np.shape(training.effect_trust) != (segments + 1, arms):
        raise InvalidInput(
            f"effect_trust is {np.shape(training.effect_trust)}, not {(segments + 1, arms)}.",
            field="effect_trust",
        )
    neutral = list(training.arms).index(NEUTRAL)
    if np.any(np.asarray(training.effect_mean)[:, neutral]):
        raise InvalidInput("The neutral arm has no effect on itself.", field="effect_mean")
    members = [feature for group in training.factor_groups.values() for feature in group]
    if sorted(members) != sorted(training.features):
        raise InvalidInput("Factor groups must split the features.", field="factor_groups")
    sample = np.asarray(training.sample, dtype=np.float32)
    if sample.ndim != 2 or sample.shape[1] != len(training.features) or not len(sample):
        raise InvalidInput("The sample needs rows with one value a feature.", field="sample")
