"""One training run in MLflow: parameters, data, metrics, pictures, gates, and the bundle itself."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.card import trust_level
from training.dataset import Dataset, Floats
from training.gate import GateTable
from training.plots.gallery import Exhibits, draw_plots
from training.registry import MODEL_NAME, tag_name, version_tags
from training.tracking import EXPERIMENT, Store, tracking

EXAMPLE_ROWS = 5
#: MLflow's limit of metrics per call is 1,000.
_BATCH = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Everything that is written down about one training.

    ``hazards`` ``[k, 3]`` are the outputs for the first ``k`` rows of ``dataset`` (input example).
    """

    bundle: Path
    bundle_version: str
    feature_hash: str
    parameters: Mapping[str, object]
    dataset: Dataset
    hazards: Floats
    shown: Exhibits
    gates: GateTable
    effects: Mapping[str, object]
    card: str
    verify_key: Path


def log_run(store: Store, record: RunRecord) -> tuple[int, str]:
    """Log ``record`` as one finished run and register its bundle: version number and run id."""
    with tracking(store) as client:
        import mlflow

        experiment = _experiment(client, store)
        with mlflow.start_run(experiment_id=experiment, run_name=record.bundle_version) as run:
            run_id = str(run.info.run_id)
            _parameters(client, run_id, record)
            _data(record.dataset)
            # What is there when the model is logged is attached to the model one by one, so the
            # many figures by group come after it.
            _figures(client, run_id, _overall(record))
            uri = _model(record)
            _figures(client, run_id, _by_group(record))
            _papers(record)
        return _register(client, uri, run_id, record), run_id


def _experiment(client: Any, store: Store) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    location = None if store.artefacts is None else store.artefacts.as_uri()
    return str(client.create_experiment(EXPERIMENT, artifact_location=location))


def _parameters(client: Any, run_id: str, record: RunRecord) -> None:
    from mlflow.entities import Param

    named = [Param(tag_name(k), str(v)[:500]) for k, v in record.parameters.items()]
    client.log_batch(run_id, params=named)


def _figures(client: Any, run_id: str, figures: Mapping[str, float]) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [Metric(tag_name(name), value, now, 0) for name, value in figures.items()]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + _BATCH])


def _overall(record: RunRecord) -> dict[str, float]:
    """``test.churn.auc`` and the like; ``data.churn.rate_28`` over all units."""
    flat = {
        f"test.{outcome}.{name}": value
        for outcome, quality in record.shown.report.overall.items()
        for name, value in quality.figures().items()
    }
    return flat | {f"data.{k}.rate_28": v for k, v in record.dataset.month_rates().items()}


def _by_group(record: RunRecord) -> dict[str, float]:
    """``segment.smb.churn.auc``, ``plan.pro.churn.auc`` and ``gate.onnx_parity``."""
    flat = {
        f"{kind}.{value}.{outcome}.{name}": figure
        for kind, values in record.shown.report.groups.items()
        for value, each in values.items()
        for outcome, quality in each.items()
        for name, figure in quality.figures().items()
    }
    for gate in record.gates.plain():
        if isinstance(gate["figure"], float):
            flat[f"gate.{gate['name']}"] = gate["figure"]
    figures = record.shown.policy.figures
    return flat | {name: value for name, value in figures.items() if math.isfinite(value)}


def _data(dataset: Dataset) -> None:
    import mlflow
    import mlflow.data

    # Not the whole table: MLflow profiles and hashes what it is given. The digest is ours.
    head = dataset.rows.slice(0, 1000).select(list(dataset.features)).to_pandas()
    named = mlflow.data.from_pandas(head, name=f"units-{dataset.kind}", digest=digest(dataset))
    mlflow.log_input(named, context="training")


def digest(dataset: Dataset) -> str:
    """Eight hex digits that name the table: its size, times and features."""
    return _hashed([dataset.as_of_us, *_facts(dataset)])


def data_digest(dataset: Dataset) -> str:
    """The same whenever nothing is new, whatever the as-of time."""
    return _hashed(_facts(dataset))


def _facts(dataset: Dataset) -> list[object]:
    hours = dataset.start_hours()
    span = [int(hours.min()), int(hours.max()), int(hours.sum())] if len(hours) else []
    return [len(dataset), span, dataset.events(), dataset.features, dataset.arms]


def _hashed(facts: list[object]) -> str:
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=4).hexdigest()


def _papers(record: RunRecord) -> None:
    import mlflow

    with tempfile.TemporaryDirectory(prefix="flyball-run-") as folder:
        directory = Path(folder)
        draw_plots(record.shown, directory)
        for name, content in (
            ("gates.json", record.gates.plain()),
            ("evaluation.json", record.shown.report.plain()),
            ("effects.json", record.effects),
            ("policy.json", dict(record.shown.policy.figures)),
            ("overlap.json", [asdict(each) for each in record.shown.overlap]),
            ("dropped.json", dict(record.dataset.dropped)),
        ):
            (directory / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        (directory / "card.md").write_text(record.card, encoding="utf-8")
        (directory / "gates.md").write_text(gate_page(record.gates), encoding="utf-8")
        mlflow.log_artifacts(folder, "report")


def gate_page(gates: GateTable) -> str:
    """The gate table as Markdown: what had to hold, what was found, which setting decides."""
    lines = [
        f"# Gates: {gates.status}",
        "",
        "| gate | verdict | figure | threshold | what had to hold, or why none | setting |",
        "|---|---|---|---|---|---|",
    ]
    for gate in gates.gates:
        figure, threshold = (
            "-" if value is None else f"{value:.4g}" for value in (gate.figure, gate.threshold)
        )
        words = (gate.reason or gate.rule).replace("|", "/")
        verdict = gate.verdict.value.replace("_", " ")
        lines.append(
            f"| {gate.name} | {verdict} | {figure} | {threshold} | {words} | {gate.setting} |"
        )
    return "\n".join(lines) + "\n"


def _model(record: RunRecord) -> str:
    """Log the bundle as a model that MLflow can load; returns its address."""
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import infer_signature

    from training.outcome_model import OUTCOMES

    rows = record.dataset.rows.slice(0, EXAMPLE_ROWS).select(list(record.dataset.features))
    example = rows.to_pandas().astype("float64")
    outputs = pd.DataFrame(record.hazards[:EXAMPLE_ROWS], columns=list(OUTCOMES))
    with _key(record.verify_key):
        logged = mlflow.pyfunc.log_model(
            name="bundle",
            loader_module="training.flavour",
            data_path=str(record.bundle),
            signature=infer_signature(example, outputs),
            input_example=example,
            # Given, because inferring them imports everything in a new process.
            pip_requirements=["flyball[train]"],
        )
    return str(logged.model_uri)


@contextmanager
def _key(path: Path) -> Iterator[None]:
    """MLflow tries the input example through the loader, which needs the verification key."""
    import os

    from training.flavour import KEY_VARIABLE

    before = os.environ.get(KEY_VARIABLE)
    os.environ[KEY_VARIABLE] = str(path)
    try:
        yield
    finally:
        if before is None:
            del os.environ[KEY_VARIABLE]
        else:
            os.environ[KEY_VARIABLE] = before


def _register(client: Any, uri: str, run_id: str, record: RunRecord) -> int:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(MODEL_NAME, description="Flyball's signed bundle.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = version_tags(
        record.bundle_version,
        record.feature_hash,
        record.gates.status,
        {gate.name: gate.words()[:400] for gate in record.gates.gates},
    ) | {"data": data_digest(record.dataset), "trust": trust_level(record.shown.effects)}
    version = client.create_model_version(
        MODEL_NAME, source=uri, run_id=run_id, tags=tags, model_id=uri.removeprefix("models:/")
    )
    return int(version.version)
