"""Scoring latency as a ratio to the bare onnxruntime calls, measured on this machine, now."""

from __future__ import annotations

import statistics
import time

import numpy as np
import onnxruntime

from models.bundle import Bundle
from models.scorer import Scorer
from training.dataset import Floats, Single


def latency_ratio(bundle: Bundle, x: Single, dose: Floats, *, rounds: int = 200) -> float:
    """Median time of :meth:`Scorer.score` on one row over that of the two bare session runs.

    Rows vary from call to call, because the same row again flatters both; the calls alternate, so
    that a busy machine slows both alike.
    """
    scorer = Scorer(bundle)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    bare = [
        onnxruntime.InferenceSession(bundle.graphs[name], options)
        for name in ("hazards.onnx", "effects.onnx")
    ]
    rows = [np.ascontiguousarray(x[i % len(x)][None, :]) for i in range(rounds)]
    doses = [dose[i % len(dose)][None, :].astype(np.float32) for i in range(rounds)]
    segment = np.zeros(1, dtype=np.int64)
    ours, theirs = [], []
    for row, amount in zip(rows, doses, strict=True):
        begun = time.perf_counter_ns()
        scorer.score(row, segment, amount)
        middle = time.perf_counter_ns()
        bare[0].run(None, {"x": row})
        bare[1].run(None, {"x": row, "segment": segment, "dose": amount})
        ended = time.perf_counter_ns()
        ours.append(middle - begun)
        theirs.append(ended - middle)
    return statistics.median(ours) / max(1.0, statistics.median(theirs))
