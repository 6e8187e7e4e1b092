"""Scoring through onnxruntime: what a bundle's graphs say about rows of features.

Every session runs on one thread and large batches are split over Python threads instead:
onnxruntime adds the trees' float32 values in an order that depends on the batch when it uses
several threads itself (measured: 3e-6), and a tenant's score must not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from flyball.errors import BundleCorrupt, InvalidInput
from models.bundle import Bundle
from models.manifest import Manifest

#: Rows a run: small enough for a core's cache, large enough that the call costs nothing.
CHUNK_ROWS = 8_192

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scores:
    """What the models say about n rows; probabilities are per period, at m = 1.

    ``hazards`` float32 [n, 3] in 0..1 in the order upgrade, downgrade, churn; ``mean`` and ``sd``
    float32 [n, A, 3] of each arm's effect against m = 1; ``trust`` int64 [n, A] (0 none, 1 pooled,
    2 segment, 3 personal).
    """

    hazards: Float32
    mean: Float32
    sd: Float32
    trust: Int64

    def __len__(self) -> int:
        return len(self.hazards)


class Scorer:
    """The graphs of one bundle, ready to run. Safe to share between threads.

    Parameters
    ----------
    bundle:
        Verified content of a bundle directory.
    threads:
        Python threads over chunks of a large batch (≥ 1); results do not depend on it.

    Raises
    ------
    BundleCorrupt
        If a graph cannot be loaded or its inputs and outputs are not those of the format.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        if threads < 1:
            raise InvalidInput(f"threads must be at least 1, not {threads}.", field="threads")
        self.manifest: Manifest = bundle.manifest
        self.threads = threads
        self._width = len(self.manifest.features)
        self._arms = len(self.manifest.arms)
        self._groups = len(self.manifest.factor_groups)
        self._hazards = _session(bundle, "hazards.onnx", ("x",), ("hazards",))
        self._effects = _session(
            bundle, "effects.onnx", ("x", "segment", "dose"), ("mean", "sd", "trust")
        )
        self._attribution = _session(bundle, "attribution.onnx", ("x",), ("contribution",))

    def score(self, x: Float32, segment: Int64, dose: Float32) -> Scores:
        """Hazards and arm effects of n rows.

        Parameters
        ----------
        x:
            Features float32 [n, F] in the manifest's order, NaN where missing.
        segment:
            int64 [n], positions in the manifest's segments; ``len(segments)`` is unknown.
        dose:
            float32 [n, A]: expected blocked share under each arm minus that under 1; NaN unknown.
        """
        rows = len(x)
        self._check(x, segment, dose)
        if rows <= CHUNK_ROWS:
            return self._run(x, segment, dose)
        scores = Scores(
            np.empty((rows, 3), np.float32),
            np.empty((rows, self._arms, 3), np.float32),
            np.empty((rows, self._arms, 3), np.float32),
            np.empty((rows, self._arms), np.int64),
        )

        def fill(part: slice) -> None:
            one = self._run(x[part], segment[part], dose[part])
            scores.hazards[part] = one.hazards
            scores.mean[part] = one.mean
            scores.sd[part] = one.sd
            scores.trust[part] = one.trust

        self._in_chunks(rows, fill)
        return scores

    def hazards(self, x: Float32) -> Float32:
        """Only the hazards float32 [n, 3] of features float32 [n, F]."""
        self._check_features(x)
        out = np.empty((len(x), 3), np.float32)

        def fill(part: slice) -> None:
            out[part] = self._hazards.run(None, {"x": x[part]})[0]

        self._in_chunks(len(x), fill)
        return out

    def attribute(self, x: Float32) -> Float32:
        """Signed contribution of each factor group to each outcome's log-odds.

        Parameters
        ----------
        x:
            Features float32 [n, F], as for :meth:`score`.

        Returns
        -------
        float32 [n, 3, G], relative to the average training row, in the manifest's group order.
        The method is path attribution (Saabas 2014) for trees, the linear terms for a logistic.
        """
        rows = len(x)
        self._check_features(x)
        if rows <= CHUNK_ROWS:
            one: Float32 = self._attribution.run(None, {"x": x})[0]
            return one
        out = np.empty((rows, 3, self._groups), np.float32)

        def fill(part: slice) -> None:
            out[part] = self._attribution.run(None, {"x": x[part]})[0]

        self._in_chunks(rows, fill)
        return out

    def _run(self, x: Float32, segment: Int64, dose: Float32) -> Scores:
        hazards = self._hazards.run(None, {"x": x})[0]
        mean, sd, trust = self._effects.run(None, {"x": x, "segment": segment, "dose": dose})
        return Scores(hazards, mean, sd, trust)

    def _in_chunks(self, rows: int, fill: Callable[[slice], None]) -> None:
        parts = [slice(at, min(at + CHUNK_ROWS, rows)) for at in range(0, rows, CHUNK_ROWS)]
        if self.threads == 1:
            for part in parts:
                fill(part)
            return
        with ThreadPoolExecutor(self.threads, thread_name_prefix="score") as pool:
            list(pool.map(fill, parts))

    def _check(self, x: Float32, segment: Int64, dose: Float32) -> None:
        self._check_features(x)
        rows = len(x)
        if segment.dtype != np.int64 or segment.shape != (rows,):
            raise InvalidInput(f"segment must be int64 [{rows}].", field="segment")
        if dose.dtype != np.float32 or dose.shape != (rows, self._arms):
            raise InvalidInput(f"dose must be float32 [{rows}, {self._arms}].", field="dose")

    def _check_features(self, x: Float32) -> None:
        if x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != self._width:
            raise InvalidInput(
                f"x must be float32 [n, {self._width}], not {x.dtype} {list(x.shape)}.",
                "Build it with models.matrix.matrix_of.",
                field="x",
            )


def _session(bundle: Bundle, name: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            bundle.graphs[name], options, providers=["CPUExecutionProvider"]
        )
    # onnxruntime's own exceptions share no base but Exception.
    except Exception as error:
        raise BundleCorrupt(f"{name} of {bundle.manifest.version} cannot be loaded.") from error
    found = tuple(item.name for item in session.get_inputs())
    given = tuple(item.name for item in session.get_outputs())
    if found != inputs or given != outputs:
        raise BundleCorrupt(
            f"{name} of {bundle.manifest.version} takes {found} and gives {given}.",
            f"Expected are {inputs} and {outputs}.",
        )
    return session
