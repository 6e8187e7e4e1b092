# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Train twice, compare the runs in MLflow
#
# Ten more weeks have come in. Is the new model better, and may it replace the champion? This
# notebook trains an early and a late version, lets the gates judge them, and looks both up in
# MLflow, as you would for your own (`flyball train`, then `mlflow ui`). The data are made up by
# `training.rehearsal`; everything is written to a temporary home.

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd

from flyball.home import Home
from training.contract import Contract
from training.rehearsal import FIRST_HOUR, WEEK_HOURS, World, rehearse
from training.run import train

TENANTS = int(os.environ.get("FLYBALL_NOTEBOOK_TENANTS", "900"))
WEEKS = 20
home = Home(Path(tempfile.mkdtemp(prefix="flyball-notebook-")))

dataset = rehearse(World(tenants=TENANTS, weeks=WEEKS, seed=5, base=(0.04, 0.01, 0.03)))
#: A bundle is bound to the features it was trained on; yours come from the catalogue.
contract = Contract(
    features=dataset.features,
    feature_hash="0123456789abcdef",
    factor_groups={"demand": dataset.features[:2], "people": dataset.features[2:]},
)
print(len(dataset), "decisions;", dataset.events())

# %% [markdown]
# ## An early version, and a late one
#
# Each training holds out organisations *and* the last weeks, fits and calibrates on the rest,
# exports to ONNX, signs, registers. The gates then decide alone: nobody promotes by hand in a
# training.

# %%
early = dataset.take(dataset.start_hours() < FIRST_HOUR + (WEEKS - 10) * WEEK_HOURS)
results = {
    "early": train(early, home, contract=contract, seed=1),
    "late": train(dataset, home, contract=contract, seed=2),
}
for name, result in results.items():
    became = "champion" if result.promoted else f"not promoted ({result.gates.status})"
    print(f"{name}: version {result.version}, {became}")

# %% [markdown]
# ## The gates
#
# One row per gate: what was found, what it was held against. *Not applicable* is not a pass: it
# says why the gate could not speak. Here nothing is known of prices, and arms do nothing: no gate
# on the policy can.

# %%
pd.DataFrame(
    [
        (gate["name"], gate["verdict"], gate["figure"], gate["threshold"])
        for gate in results["late"].gates.plain()
    ],
    columns=["gate", "verdict", "figure", "threshold"],
)

# %% [markdown]
# ## The runs, side by side
#
# MLflow keeps parameters, metrics and pictures of each. `search_runs` gives them as a table.

# %%
mlflow.set_tracking_uri(f"sqlite:///{home.mlflow / 'mlflow.db'}")
runs = mlflow.search_runs(experiment_names=["flyball"], order_by=["start_time ASC"])
runs.index = pd.Index(list(results))
runs[["params.rows", "params.churn.kind", "params.churn.trees", "params.effects"]]

# %%
shared = [
    name
    for name in sorted(runs.columns)
    if name.startswith(("metrics.test.upgrade.", "metrics.test.churn."))
]
runs[shared].T.rename(index=lambda name: name.removeprefix("metrics.test.")).round(4)

# %% [markdown]
# **Do not read these two columns as a race.** Each was judged on its own held-out weeks, and the
# late version's are later ones. Only a comparison on the *same* rows says which is better, which is
# what the gate against the champion does. It is paired, clustered by organisation, and asks only
# that the candidate is not clearly worse: on this much data, a real improvement would hardly ever
# be proven.

# %%
[
    (gate["name"], gate["verdict"], gate["reason"] or gate["rule"])
    for gate in results["late"].gates.plain()
    if "champion" in gate["name"]
]

# %% [markdown]
# ## What a number hides: the calibration picture
#
# A model can rank well and still say 4 % where 8 % leave. Prices multiply probabilities, so that
# would cost money. Every run carries the picture:

# %%
picture = mlflow.artifacts.download_artifacts(
    run_id=results["late"].run_id, artifact_path="report/calibration.png"
)
figure, axis = plt.subplots(figsize=(10, 4))
axis.imshow(plt.imread(picture))
axis.axis("off")
figure.tight_layout()

# %% [markdown]
# *What it does not show:* segments. A model can be calibrated over all and wrong for one of them;
# `segments.png` and the gates per segment look there.
#
# ## Use a version, move an alias
#
# The champion is an alias. Loading it verifies the signature first, and scores with the same ONNX
# graphs that serve.

# %%
os.environ["FLYBALL_VERIFY_KEY"] = str(home.verify_key)
champion = results["late"].champion
if champion is not None:
    model = mlflow.pyfunc.load_model(f"models:/flyball/{champion.version}")
    frame = dataset.rows.to_pandas()[list(dataset.features)].astype("float64")
    scores = pd.DataFrame(model.predict(frame.head(1000)))
    axis = scores["churn"].hist(bins=40, figsize=(7, 2.4))
    axis.set(xlabel="predicted churn a week", ylabel="decisions", title="the champion's scores")
    print("mean", np.round(scores.mean().to_dict()["churn"], 4), "| rows", len(scores))

# %% [markdown]
# `flyball promote VERSION` and `flyball rollback --reason …` move the alias, are audited, and
# refuse versions whose gates have not passed; serving follows within seconds
# (`docs/how-to/retrain-promote-rollback.md`).
#
# ## Your own home
#
# ```python
# mlflow.set_tracking_uri("sqlite:///.flyball/mlflow/mlflow.db")
# mlflow.search_runs(experiment_names=["flyball"])
# ```
#
# `flyball train --compare` adds a table of effect estimators on organisations that none has seen.
