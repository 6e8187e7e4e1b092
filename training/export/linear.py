"""The linear model's standardised inputs inside a graph, in double like the reference."""

from __future__ import annotations

import numpy as np

from training.export.graph import DOUBLE, GraphBuilder
from training.outcome_model import MAX_STANDARD_DEVIATIONS, Linear


class StandardInputs:
    """Adds imputation and standardisation once for all outcomes that share them."""

    def __init__(self, builder: GraphBuilder, x: str = "x") -> None:
        self._builder = builder
        self._x = x
        self._double = ""
        self._made: dict[bytes, str] = {}

    def of(self, linear: Linear) -> str:
        """Name of the float64 [n, F] tensor with the inputs that ``linear`` multiplies."""
        key = b"".join(part.tobytes() for part in (linear.impute, linear.mean, linear.scale))
        if key not in self._made:
            self._made[key] = self._add(linear)
        return self._made[key]

    def _add(self, linear: Linear) -> str:
        add = self._builder
        if not self._double:
            self._double = add.node("Cast", [self._x], to=DOUBLE)
        missing = add.node("IsNaN", [self._double])
        filled = add.node("Where", [missing, add.constant(linear.impute[None, :]), self._double])
        centred = add.node("Sub", [filled, add.constant(linear.mean[None, :])])
        scaled = add.node("Div", [centred, add.constant(linear.scale[None, :])])
        bound = np.float64(MAX_STANDARD_DEVIATIONS)
        low, high = add.constant(np.array(-bound)), add.constant(np.array(bound))
        return add.node("Clip", [scaled, low, high])
