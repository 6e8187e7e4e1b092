"""Putting an ONNX graph together: names, constants and nodes, then one checked model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

#: Old enough for every onnxruntime that we accept (1.20), new enough for all operators used.
OPSET, ML_OPSET, IR_VERSION = 18, 3, 9
ML_DOMAIN = "ai.onnx.ml"

FLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE
INT64, BOOL = TensorProto.INT64, TensorProto.BOOL


class GraphBuilder:
    """Collects nodes and constants; every method returns the name of the tensor that it adds."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._count = 0

    def constant(self, values: NDArray[Any]) -> str:
        """A constant tensor."""
        name = self._name("constant")
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], *, domain: str = "", **attributes: Any) -> str:
        """One operator with one output."""
        name = self._name(kind.lower())
        self._nodes.append(
            helper.make_node(kind, list(inputs), [name], name=name, domain=domain, **attributes)
        )
        return name

    def output(self, tensor: str, name: str) -> None:
        """Give ``tensor`` the public name of a graph output."""
        self._nodes.append(helper.make_node("Identity", [tensor], [name], name=f"give_{name}"))

    def model(
        self,
        title: str,
        inputs: Sequence[tuple[str, int, Sequence[int | str]]],
        outputs: Sequence[tuple[str, int, Sequence[int | str]]],
    ) -> bytes:
        """The serialised model, after ONNX's own check."""
        graph = helper.make_graph(
            self._nodes,
            title,
            [helper.make_tensor_value_info(*item) for item in inputs],
            [helper.make_tensor_value_info(*item) for item in outputs],
            initializer=self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="flyball"
        )
        onnx.checker.check_model(model)
        body: bytes = model.SerializeToString(deterministic=True)
        return body

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"
