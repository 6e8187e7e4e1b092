"""P2: scoring in process against the bare onnxruntime call on the same graphs and rows.

One tenant over all arms: ``Scorer.score`` of one row against the two ``session.run`` calls that it
makes. Batch: from the feature table to all scores, against one bare batch call with a ready matrix
and onnxruntime's own threads. Rows differ in every call: the same row again and again would
flatter both sides through the branch predictor.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa
from numpy.typing import NDArray

from models.bundle import Bundle
from models.matrix import inputs_of
from models.outlook import outlook_of
from models.scorer import Scorer
from training.export.draft import Training, draft_bundle
from training.outcome_model import OUTCOMES, FittedOutcome

GOAL = 1.3
FEATURES = 45
TREES = 200
ARMS = (70, 85, 100, 115, 130)
SEGMENTS = ("enterprise", "mid", "small")


def measure(quick: bool = True) -> list[dict[str, Any]]:
    """Run P2 and return one record a comparison; times in microseconds, less is better."""
    bundle = _bundle()
    return [*_one_tenant(bundle, 4_000 if quick else 20_000), _batch(bundle, quick)]


def _one_tenant(bundle: Bundle, rows: int) -> list[dict[str, Any]]:
    scorer = Scorer(bundle)
    inputs = inputs_of(_table(rows, seed=1), bundle.manifest)
    hazards, effects = (_session(bundle, name, 1) for name in ("hazards.onnx", "effects.onnx"))

    def ours(at: slice) -> None:
        scorer.score(inputs.x[at], inputs.segment[at], inputs.dose[at])

    def with_outlook(at: slice) -> None:
        scores = scorer.score(inputs.x[at], inputs.segment[at], inputs.dose[at])
        outlook_of(scores, 0, ARMS, inputs.dose[at])

    def bare(at: slice) -> None:
        x = inputs.x[at]
        hazards.run(None, {"x": x})
        effects.run(None, {"x": x, "segment": inputs.segment[at], "dose": inputs.dose[at]})

    mine, words, base = _interleaved((ours, with_outlook, bare), rows)
    return [
        _record("one tenant over all arms", mine, base),
        {**_record("one tenant as an outlook", words, base), "goal": None, "met": None},
    ]


def _interleaved(calls: tuple[Callable[[slice], None], ...], rows: int) -> list[float]:
    """Median over blocks of each call's microseconds a row, the calls taking turns."""
    block = 200
    spent: list[list[float]] = [[] for _ in calls]
    for start in range(0, rows, block):
        for call, times in zip(calls, spent, strict=True):
            begin = time.perf_counter()
            for row in range(start, start + block):
                call(slice(row, row + 1))
            times.append((time.perf_counter() - begin) / block * 1e6)
    return [statistics.median(times[1:]) for times in spent]


def _batch(bundle: Bundle, quick: bool) -> dict[str, Any]:
    rows = 200_000 if quick else 1_000_000
    cores = os.cpu_count() or 1
    scorer = Scorer(bundle, threads=cores)
    table = _table(rows, seed=2)
    ready = inputs_of(table, bundle.manifest)
    hazards, effects = (_session(bundle, name, cores) for name in ("hazards.onnx", "effects.onnx"))

    def ours() -> None:
        inputs = inputs_of(table, bundle.manifest)
        scorer.score(inputs.x, inputs.segment, inputs.dose)

    def bare() -> None:
        hazards.run(None, {"x": ready.x})
        effects.run(None, {"x": ready.x, "segment": ready.segment, "dose": ready.dose})

    mine, base = [], []
    for _ in range(3):
        mine.append(_seconds(ours))
        base.append(_seconds(bare))
    scale = 1e6 / rows
    return _record(f"re-scoring {rows:,} tenants", min(mine) * scale, min(base) * scale)


def _seconds(call: Callable[[], None]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _record(name: str, ours: float, baseline: float) -> dict[str, Any]:
    ratio = ours / baseline
    return {
        "promise": "P2",
        "name": name,
        "ours": round(ours, 3),
        "baseline": round(baseline, 3),
        "ratio": round(ratio, 3),
        "goal": GOAL,
        "met": ratio <= GOAL,
        "unit": "us/tenant",
    }


def _session(bundle: Bundle, name: str, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        bundle.graphs[name], options, providers=["CPUExecutionProvider"]
    )


def _table(rows: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        "segment": pa.array(np.array(SEGMENTS)[random.integers(0, len(SEGMENTS), rows)])
    }
    for arm in ARMS:
        columns[f"blocked_{arm}"] = random.uniform(0, 0.3, rows)
    for number in range(FEATURES):
        columns[f"f{number}"] = pa.array(random.normal(size=rows), mask=random.random(rows) < 0.05)
    return pa.table(columns)


def _bundle() -> Bundle:
    random = np.random.default_rng(0)
    x = random.normal(size=(20_000, FEATURES)).astype(np.float32)
    x[random.random(x.shape) < 0.05] = np.nan
    names = tuple(f"f{number}" for number in range(FEATURES))
    mean = random.normal(0, 0.01, (len(SEGMENTS) + 1, len(ARMS), 3))
    mean[:, ARMS.index(100)] = 0.0
    return draft_bundle(
        Training(
            version="benchmark",
            created_us=1,
            as_of_us=1,
            features=names,
            feature_hash="00" * 16,
            factor_groups={f"g{at}": names[at::6] for at in range(6)},
            outcomes=[_fitted(name, x, seed) for seed, name in enumerate(OUTCOMES)],
            arms=ARMS,
            period_days=7,
            segments=SEGMENTS,
            effect_mean=mean,
            effect_sd=np.abs(mean),
            effect_trust=np.full(mean.shape[:2], 2),
            sample=x,
        )
    )


def _fitted(outcome: str, x: NDArray[np.float32], seed: int) -> FittedOutcome:
    import lightgbm

    filled = np.nan_to_num(x)
    signal = filled[:, seed] + filled[:, seed + 3] * filled[:, seed + 6] - 2.5
    label = np.random.default_rng(seed).random(len(x)) < 1 / (1 + np.exp(-signal))
    settings = {"objective": "binary", "num_leaves": 15, "verbose": -1, "num_threads": 2}
    booster = lightgbm.train(settings, lightgbm.Dataset(x, label.astype(np.float64)), TREES)
    return FittedOutcome(outcome, "lightgbm", float(label.mean()), booster.model_to_string())


def main() -> None:
    """Print the comparison; ``--full`` for a million tenants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="a million tenants")
    for record in measure(quick=not parser.parse_args().full):
        print(
            f"{record['promise']}  {record['name']:<32} ours {record['ours']:>9} "
            f"bare {record['baseline']:>9} {record['unit']}  ratio {record['ratio']}"
            + ("" if record["goal"] is None else f" (goal {record['goal']}, met {record['met']})")
        )


if __name__ == "__main__":
    main()
