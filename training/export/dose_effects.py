"""The effects graph of the R-learner on dose: an arm's felt dose times what a unit of it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flyball.errors import InvalidInput
from training.export.effects import QUIET_DOSE, moving_rows
from training.export.graph import BOOL, DOUBLE, FLOAT, INT64, GraphBuilder
from training.export.linear import StandardInputs
from training.outcome_model import Linear

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What belonging to a group adds: ``mean`` and ``variance`` [G + 1, 3] per unit of dose, and
    ``trust`` [G + 1]. The last row is for an unknown group."""

    mean: Floats
    variance: Floats
    trust: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseModel:
    """Numbers of a served dose model.

    Per unit of dose an outcome's mean is ``intercept`` [3] + ``z @ weights`` [F, 3] + group means,
    its variance ``variance`` [3] + |``z @ factors[k] + offsets[k]``|² ([3, F, R], [3, R]) + group
    variances; z are features imputed, standardised (``impute``, ``mean``, ``scale`` [F]) and held
    within ±``bound``. ``plan_feature`` is the column whose ``plan_levels`` [P] name the plan.
    ``usable`` [A] are the arms that have an effect; where a row has an unknown dose, all of its
    doses are ``fallback_dose`` [A]. Of a blocked share b, b / (1 + |b| / ``half_felt``) is felt
    (> 0, may be infinite), and of a dose what it adds to that of column ``already_feature`` (held
    within 0 and 1, 0 where it is missing; without such a column, to that of 0). Mean and standard
    deviation are multiplied by ``growth_norm`` [3] · exp(``z @ growth`` [F, 3] + ``growth_offset``
    [3], held within ±``growth_limit``).
    ``trust`` is the least level of a usable arm.
    """

    impute: Floats
    mean: Floats
    scale: Floats
    bound: float
    intercept: Floats
    variance: Floats
    weights: Floats
    factors: Floats
    offsets: Floats
    segments: Lookup
    plans: Lookup
    plan_feature: int
    plan_levels: Floats
    usable: NDArray[np.bool_]
    fallback_dose: Floats
    trust: int
    half_felt: float
    already_feature: int | None
    growth: Floats
    growth_offset: Floats
    growth_norm: Floats
    growth_limit: float


def dose_effects_graph(
    model: DoseModel, feature_count: int, *, quiet_dose: float = QUIET_DOSE
) -> bytes:
    """ONNX: ``x``, ``segment``, ``dose`` → ``mean``, ``sd`` float32 [n, A, 3], ``trust`` [n, A].

    Rows whose known doses are all smaller than ``quiet_dose`` have mean and sd 0 under every arm.

    Raises
    ------
    InvalidInput
        The model does not have ``feature_count`` features, or a number is not finite.
    """
    _check(model, feature_count)
    graph = _Graph(model)
    return graph.build(feature_count, quiet_dose)


def _check(model: DoseModel, feature_count: int) -> None:
    if len(model.mean) != feature_count:
        raise InvalidInput(
            f"The dose model has {len(model.mean)} features, the bundle {feature_count}.",
            field="effects",
        )
    parts = (model.intercept, model.variance, model.weights, model.factors, model.offsets)
    growth = (model.growth, model.growth_offset, model.growth_norm)
    groups = (model.segments, model.plans)
    tables = [table for group in groups for table in (group.mean, group.variance)]
    if not all(np.isfinite(part).all() for part in (*parts, *growth, *tables, model.fallback_dose)):
        raise InvalidInput("Effects must be finite.", field="effects")


class _Graph:
    """Adds the parts of one model to a builder."""

    def __init__(self, model: DoseModel) -> None:
        self._model = model
        self._add = GraphBuilder()

    def build(self, feature_count: int, quiet_dose: float) -> bytes:
        add, model = self._add, self._model
        z = self._inputs()
        segment = self._segment_row()
        plan = self._plan_row()
        mean, variance = self._per_dose(z, segment, plan)
        rho = self._rho(z)
        mean = add.node("Mul", [mean, rho])
        dose = self._dose()
        size = add.node("Abs", [dose])
        moving = moving_rows(add, quiet_dose)
        one = add.constant(np.array(1.0))
        product = add.node("Mul", [dose, add.node("Unsqueeze", [mean, self._axis(1)])])
        held = add.node("Clip", [product, add.node("Neg", [one]), one])
        deviation = add.node("Mul", [add.node("Sqrt", [variance]), rho])
        spread = add.node("Mul", [size, add.node("Unsqueeze", [deviation, self._axis(1)])])
        nothing = add.constant(np.array(0.0, dtype=np.float32))
        for name, value in (("mean", held), ("sd", spread)):
            single = add.node("Cast", [value], to=FLOAT)
            add.output(add.node("Where", [moving, single, nothing]), name)
        add.output(self._trust(segment, plan), "trust")
        arms = len(model.usable)
        return add.model(
            "effects",
            [
                ("x", FLOAT, ["n", feature_count]),
                ("segment", INT64, ["n"]),
                ("dose", FLOAT, ["n", arms]),
            ],
            [
                ("mean", FLOAT, ["n", arms, 3]),
                ("sd", FLOAT, ["n", arms, 3]),
                ("trust", INT64, ["n", arms]),
            ],
        )

    def _inputs(self) -> str:
        model = self._model
        linear = Linear(np.zeros(len(model.mean)), 0.0, model.impute, model.mean, model.scale)
        wide = StandardInputs(self._add).of(linear)
        bounds = [self._add.constant(np.array(side * model.bound)) for side in (-1.0, 1.0)]
        return self._add.node("Clip", [wide, *bounds])

    def _segment_row(self) -> str:
        """Row of the segment table, [n]; anything that is not a segment is unknown."""
        add, last = self._add, len(self._model.segments.trust) - 1
        known = add.node(
            "And",
            [
                add.node("GreaterOrEqual", ["segment", add.constant(np.array(0))]),
                add.node("LessOrEqual", ["segment", add.constant(np.array(last))]),
            ],
        )
        return add.node("Where", [known, "segment", add.constant(np.array(last))])

    def _plan_row(self) -> str:
        """Row of the plan table, [n]: the level that the plan feature equals, or unknown."""
        add, levels = self._add, self._model.plan_levels
        last = add.constant(np.array(len(levels)))
        if not len(levels):
            return add.node("Where", [self._never(), "segment", last])
        column = add.constant(np.array([self._model.plan_feature]))
        value = add.node("Gather", ["x", column], axis=1)
        same = add.node("Equal", [value, add.constant(levels.astype(np.float32)[None, :])])
        hit = add.node("Cast", [same], to=INT64)
        place = add.node("ArgMax", [hit], axis=1, keepdims=0)
        found = add.node("ReduceMax", [hit, self._axis(1)], keepdims=0)
        return add.node("Where", [add.node("Cast", [found], to=BOOL), place, last])

    def _never(self) -> str:
        return self._add.node("Less", ["segment", self._add.node("Identity", ["segment"])])

    def _per_dose(self, z: str, segment: str, plan: str) -> tuple[str, str]:
        """Mean and variance of a unit of dose, float64 [n, 3] each."""
        add, model = self._add, self._model
        weighted = add.node("MatMul", [z, add.constant(model.weights)])
        mean = add.node("Add", [weighted, add.constant(model.intercept[None, :])])
        variance = add.constant(model.variance[None, :])
        if model.factors.shape[2]:
            variance = add.node("Add", [variance, self._quadratic(z)])
        for group, row in ((model.segments, segment), (model.plans, plan)):
            own = add.node("Gather", [add.constant(group.mean), row], axis=0)
            mean = add.node("Add", [mean, own])
            spread = add.node("Gather", [add.constant(group.variance), row], axis=0)
            variance = add.node("Add", [variance, spread])
        return mean, variance

    def _rho(self, z: str) -> str:
        """float64 [n, 3]: how much a row's own risk makes of an effect."""
        add, model = self._add, self._model
        grown = add.node("MatMul", [z, add.constant(model.growth)])
        moved = add.node("Add", [grown, add.constant(model.growth_offset[None, :])])
        bounds = [add.constant(np.array(side * model.growth_limit)) for side in (-1.0, 1.0)]
        power = add.node("Exp", [add.node("Clip", [moved, *bounds])])
        return add.node("Mul", [power, add.constant(model.growth_norm[None, :])])

    def _quadratic(self, z: str) -> str:
        """float64 [n, 3]: squared length of the factors of each outcome."""
        add, model = self._add, self._model
        each = []
        for factor, offset in zip(model.factors, model.offsets, strict=True):
            along = add.node("MatMul", [z, add.constant(factor)])
            moved = add.node("Add", [along, add.constant(offset[None, :])])
            squared = add.node("Mul", [moved, moved])
            each.append(add.node("ReduceSum", [squared, self._axis(1)], keepdims=1))
        return add.node("Concat", each, axis=1)

    def _dose(self) -> str:
        """float64 [n, A, 1]: what is felt of known doses or the fallback, 0 for unusable arms."""
        add, model = self._add, self._model
        unknown = add.node("Cast", [add.node("IsNaN", ["dose"])], to=FLOAT)
        any_unknown = add.node("ReduceMax", [unknown, self._axis(1)], keepdims=1)
        fallback = add.constant(model.fallback_dose[None, :])
        wide = add.node("Cast", ["dose"], to=DOUBLE)
        dose = add.node("Where", [add.node("Cast", [any_unknown], to=BOOL), fallback, wide])
        usable = add.constant(model.usable[None, :])
        felt = self._felt(dose)
        used = add.node("Where", [usable, felt, add.constant(np.array(0.0))])
        return add.node("Unsqueeze", [used, self._axis(2)])

    def _felt(self, dose: str) -> str:
        """float64 [n, A]: what is felt of ``dose`` beyond what m = 1 already refuses."""
        add, column = self._add, self._model.already_feature
        if column is None:
            return self._bent(dose)
        share = add.node("Gather", ["x", add.constant(np.array([column]))], axis=1)
        wide = add.node("Cast", [share], to=DOUBLE)
        zero, one = add.constant(np.array(0.0)), add.constant(np.array(1.0))
        known = add.node("Where", [add.node("IsNaN", [share]), zero, wide])
        already = add.node("Clip", [known, zero, one])
        after = self._bent(add.node("Add", [already, dose]))
        return add.node("Sub", [after, self._bent(already)])

    def _bent(self, share: str) -> str:
        add = self._add
        inverse = add.constant(np.array(1.0 / self._model.half_felt))
        bent = add.node("Mul", [add.node("Abs", [share]), inverse])
        return add.node("Div", [share, add.node("Add", [bent, add.constant(np.array(1.0))])])

    def _trust(self, segment: str, plan: str) -> str:
        add, model = self._add, self._model
        level = add.constant(np.array([model.trust], dtype=np.int64))
        for group, row in ((model.segments, segment), (model.plans, plan)):
            own = add.node("Gather", [add.constant(group.trust), row], axis=0)
            level = add.node("Max", [level, own])
        usable = add.constant(model.usable.astype(np.int64)[None, :])
        return add.node("Mul", [add.node("Unsqueeze", [level, self._axis(1)]), usable])

    def _axis(self, axis: int) -> str:
        return self._add.constant(np.array([axis]))
