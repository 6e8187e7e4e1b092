"""A drift report in MLflow: a run of its own, beside the trainings."""

from __future__ import annotations

import math
import time

from training.drift import DriftReport
from training.registry import tag_name
from training.tracking import EXPERIMENT, Store, tracking


def log_drift(store: Store, report: DriftReport, champion: str) -> str:
    """Log ``report`` against the bundle ``champion``; the run's id."""
    with tracking(store) as client:
        from mlflow.entities import Metric

        found = client.get_experiment_by_name(EXPERIMENT)
        location = None if store.artefacts is None else store.artefacts.as_uri()
        experiment = (
            found.experiment_id
            if found is not None
            else client.create_experiment(EXPERIMENT, artifact_location=location)
        )
        run = client.create_run(
            experiment, run_name=f"drift-{champion}", tags={"kind": "drift", "champion": champion}
        )
        now = int(time.time() * 1000)
        figures = {f"drift.{each.name}": each.figure for each in report.findings}
        figures |= {"drift.found": float(len(report.drifted))}
        metrics = [
            Metric(tag_name(name), value, now, 0)
            for name, value in figures.items()
            if math.isfinite(value)
        ]
        for start in range(0, len(metrics), 900):
            client.log_batch(run.info.run_id, metrics=metrics[start : start + 900])
        client.log_dict(run.info.run_id, report.plain(), "report/drift.json")
        client.set_terminated(run.info.run_id)
        return str(run.info.run_id)
