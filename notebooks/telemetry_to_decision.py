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
# # From telemetry to a decision
#
# A vendor's history goes in; one throttle decision per tenant comes out. Every step below is a
# command that you can also type, or a function that you can import. The tenants are simulated, so
# that at the end we can look at what no real vendor sees: each arm's true effect.
#
# Open it in Jupyter with `pip install 'flyball[train,notebook]'` and
# `jupytext --to ipynb notebooks/telemetry_to_decision.py`. Everything is written to a temporary
# directory.

# %%
import json
import os
import tempfile
from pathlib import Path

import duckdb
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from commands.main import run
from simulation.calendar_week import hour_of, instant
from simulation.history import write_history
from simulation.week import Setup

# Fewer tenants are quicker, but leave too little evidence to judge a model.
TENANTS = int(os.environ.get("FLYBALL_NOTEBOOK_TENANTS", "2000"))
WEEKS = int(os.environ.get("FLYBALL_NOTEBOOK_WEEKS", "26"))
END = "2026-06-01T00:00:00Z"

work = Path(tempfile.mkdtemp(prefix="flyball-notebook-"))
home = work / "home"


def flyball(*arguments: str) -> None:
    """Type a `flyball` command; stop where it does."""
    code = run(["--home", str(home), *arguments])
    if code != 0:
        raise SystemExit(f"flyball {' '.join(arguments)} ended with {code}")


# %% [markdown]
# ## 1. What a vendor has
#
# Hourly request counts, a few daily meters, accounts, subscriptions, tickets, and the decisions of
# earlier weeks with the probability that each arm had when it was drawn. The files are described
# in `docs/reference/import-directory.md`.

# %%
history = write_history(work / "import", Setup(tenants=TENANTS, weeks=WEEKS, seed=7), hour_of(END))
sorted(path.name for path in history.folder.iterdir())[:8]

# %%
usage = f"read_parquet('{history.folder}/usage-*.parquet')"
duckdb.sql(
    f"SELECT meter, count(*) AS events, round(avg(quantity), 1) AS mean FROM {usage}"
    " GROUP BY meter ORDER BY events DESC"
).df()

# %% [markdown]
# One tenant that runs into its limit: demand is what was asked for, blocked is what it was refused.

# %%
busiest = duckdb.sql(
    f"SELECT tenant_id FROM {usage} WHERE meter = 'api.blocked'"
    " GROUP BY tenant_id ORDER BY count(*) DESC, tenant_id LIMIT 1"
).fetchall()
tenant = busiest[0][0] if busiest else history.world.population.tenant_id[0]
hours = duckdb.execute(
    f"SELECT epoch(time)::BIGINT // 3600 AS hour,"
    " coalesce(sum(quantity) FILTER (meter = 'api.requests'), 0) AS demand,"
    " coalesce(sum(quantity) FILTER (meter = 'api.blocked'), 0) AS blocked"
    f" FROM {usage} WHERE tenant_id = ? AND epoch(time)::BIGINT // 3600 >= ?"
    " GROUP BY hour ORDER BY hour",
    [tenant, hour_of(END) - 14 * 24],
).df()
figure, axis = plt.subplots(figsize=(9, 2.5))
days = (hours["hour"] - hours["hour"].min()) / 24
axis.bar(days, hours["demand"], width=1 / 24, label="demand")
axis.bar(days, hours["blocked"], width=1 / 24, label="of it blocked")
axis.set(xlabel="days", ylabel="requests an hour", title=tenant)
axis.legend()

# %% [markdown]
# ## 2. Take it in
#
# The import is idempotent: run it twice, and the second time everything is a duplicate.

# %%
flyball("import", str(history.folder))

# %% [markdown]
# ## 3. Features, as of a time
#
# The same definitions serve training and live scoring. Nothing that happened, or arrived, after
# the as-of time can enter them.

# %%
flyball("dataset", "--as-of", END, "--out", str(work / "features.parquet"))
features = pd.read_parquet(work / "features.parquet")
features.iloc[:5, :14]

# %% [markdown]
# `blocked_70` to `blocked_130` say what share of its demand each arm would block. The *dose* of an
# arm is its blocked share minus that of arm 100: where it is 0 an arm can have no effect.

# %%
dose = (features["blocked_85"] - features["blocked_100"]).dropna()
figure, axis = plt.subplots(figsize=(6, 2.5))
axis.hist(dose, bins=40)
axis.set(xlabel="dose of arm 85", ylabel="tenants", title=f"{(dose > 0.005).mean():.0%} feel it")

# %% [markdown]
# ## 4. Train, behind gates
#
# One row per decision: the tenant's features at its start, the arm that was drawn, and what came
# first within the period. Risk models are judged on organisations and weeks that they have not
# seen. Arm effects come from the logged propensities, and are exactly 0 unless chance is an
# unlikely explanation.

# %%
flyball("train", "--as-of", END)

# %%
from commands.training_data import load_dataset
from flyball.home import Home
from flyball.instant import parse_instant
from training.estimators.served import DoseEstimator

dataset = load_dataset(Home(home), parse_instant(END))
segments = tuple(dataset.groups("segment")[1])
effects = DoseEstimator().fit(dataset, segments)
effects.summary

# %% [markdown]
# Here is what only a simulation can show: the true mean effect of each arm on a week's upgrades and
# churn, in percentage points, beside the estimate. The estimator speaks of decisions that an arm
# can reach; over everybody its effect is that times their share.

# %%
truth = history.truth.table()
arm = truth["arm"].to_numpy()
upgrade, churn = (truth[name].to_numpy() for name in ("upgraded", "churned"))
reached = (np.abs(np.nan_to_num(dataset.dose())) >= 0.005).any(axis=1).mean()
rows = []
for index, each in enumerate(effects.arms):
    rows.append(
        {
            "arm": each / 100,
            "true upgrade": 100 * (upgrade[arm == each].mean() - upgrade[arm == 100].mean()),
            "estimated": 100 * reached * effects.mean[-1, index, 0],
            "± SD": 100 * reached * effects.sd[-1, index, 0],
            "true churn": 100 * (churn[arm == each].mean() - churn[arm == 100].mean()),
            "estimated ": 100 * reached * effects.mean[-1, index, 2],
        }
    )
pd.DataFrame(rows).round(2)

# %% [markdown]
# ## 5. Decide
#
# Publishing verifies the signed bundle and puts it where deciding looks. Without a champion and an
# experiment that somebody started, every decision stays at 1; so we start one.

# %%
flyball("publish", "--once")
flyball("experiment", "start", "notebook", "--at", END, "--reason", "a look", "--author", "me")
flyball("decide", "--as-of", END, "--mode", "live", "--out", str(work / "decisions.ndjson"))

# %%
lines = (work / "decisions.ndjson").read_text().splitlines()
decisions = pd.DataFrame([json.loads(line) for line in lines])
decisions["multiplier"].value_counts().sort_index()

# %%
decisions.sort_values(["multiplier", "tenant_id"]).iloc[0]

# %% [markdown]
# ## 6. And the world moves on
#
# The simulated tenants now feel what was decided for a week. What happened is another import
# directory; importing it and training again closes the loop.

# %%
from simulation.living import live_week
from simulation.product import read_decisions

arms = read_decisions(work / "decisions.ndjson")
summary = live_week(history.world, history.exporter, work / "next", arms)
flyball("import", str(work / "next"))
print(instant(hour_of(END)), summary)
assert np.isfinite(summary.blocked_share)
