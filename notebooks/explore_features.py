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
# # Explore features
#
# What do the models see of a tenant, and what is wrong with it? Every feature is defined once
# (`features/definitions/`), and the SQL that trains is the SQL that serves; here we look at the
# values. Needed is a home with data in it: `make demo ONCE=1` makes one, or let `FLYBALL_HOME` name
# yours. Nothing is written to it.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from commands.training_data import load_dataset
from features.catalogue import catalogue, group_titles
from flyball.home import Home
from flyball.instant import HOUR_US, format_instant
from ledger.decision_log import decision_log_table
from ledger.sqlite_ledger import read_ledger

places = [Path(".flyball/demo"), Path("../.flyball/demo")]
here = os.environ.get("FLYBALL_HOME") or next((p for p in places if p.exists()), places[0])
home = Home(Path(here).resolve())

# %% [markdown]
# ## Which there are
#
# Each has a unit, a window that it looks back over, and a reason to be missing. The groups are what
# an explanation names to people.

# %%
known = pd.DataFrame(
    [(f.name, f.group, f.unit, f.window, f.null, f.description) for f in catalogue().features],
    columns=["feature", "group", "unit", "window", "missing when", "meaning"],
).set_index("feature")
print(known.groupby("group").size().rename(index=group_titles()))
known.groupby("group").head(2)[["unit", "window", "missing when", "meaning"]]

# %% [markdown]
# ## The table that teaches
#
# One row per decision whose period is over: features *as of its start*, the arm that was drawn, and
# what came first afterwards. Nothing that happened, or arrived, later can enter: `as_of` is the
# end of the log here, and every row has an earlier as-of time of its own.

# %%
with read_ledger(home) as ledger:
    log = decision_log_table(ledger)
last_hour = int(np.max(log["start_hour"].to_numpy())) + 24
dataset = load_dataset(home, last_hour * HOUR_US)
frame = dataset.rows.to_pandas()
print(f"{len(dataset)} decisions as of {format_instant(dataset.as_of_us)};", dataset.events())
print("left out, and why:", dict(dataset.dropped))
frame[["tenant_id", "segment", "arm", *dataset.features[:5], "outcome"]].head()

# %% [markdown]
# ## What is missing?
#
# Missing is information: no tickets, no history yet, no plan above. Trees read it as such. What
# you look for is a feature that is *newly* missing, or missing for one segment only: a source that
# broke. (`flyball retrain` looks for that, too.)

# %%
values = frame[list(dataset.features)].astype("float64")
missing = values.isna().mean().sort_values(ascending=False)
figure, axis = plt.subplots(figsize=(8, 3))
top = missing[missing > 0].head(12)[::-1]
axis.barh(top.index, top)
axis.set(xlabel="share of decisions", title=f"{int((missing > 0).sum())} features are ever missing")
figure.tight_layout()

# %% [markdown]
# ## What goes together?
#
# Rank correlations of all features. Blocks along the diagonal are features that say much the same:
# a model picks one of them by luck, so never read meaning into *which*. That is why explanations
# add contributions up by group.

# %%
moving = [name for name in dataset.features if values[name].nunique() > 5]
moving.sort(key=lambda name: (known.loc[name, "group"], name))
correlation = values[moving].corr(method="spearman")
figure, axis = plt.subplots(figsize=(7, 6))
picture = axis.imshow(correlation, cmap="RdBu", vmin=-1, vmax=1)
axis.set_xticks([])
axis.set_yticks(range(len(moving)), moving, fontsize=5)
figure.colorbar(picture, label="rank correlation")
figure.tight_layout()

# %% [markdown]
# ## What goes with churn?
#
# The share that left among the lowest, middle and highest third of a feature, with 95 % intervals
# (Wilson). Overlapping bars are the usual finding, and the honest one.


# %%
def wilson(events: float, rows: float) -> tuple[float, float]:
    """95 % interval of a share."""
    share, z = events / rows, 1.96
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows**2)) / (1 + z * z / rows)
    return centre - half, centre + half


churned = frame["outcome"] == 3
chosen = [n for n in ("logins_change", "share_peak_28d", "tenure_days") if n in moving]
chosen += [name for name in moving if name not in chosen][: 3 - len(chosen)]
figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True)
for axis, name in zip(axes, chosen, strict=True):
    third = pd.qcut(values[name].rank(method="first"), 3, labels=False)
    for at in range(3):
        rows = third == at
        low, high = wilson(churned[rows].sum(), rows.sum())
        axis.plot([at, at], [100 * low, 100 * high], color="tab:blue")
        axis.plot(at, 100 * churned[rows].mean(), "o", color="tab:blue")
    axis.set(title=name, xticks=[0, 1, 2], xticklabels=["low", "middle", "high"])
axes[0].set_ylabel("churned in the week, %")
figure.tight_layout()

# %% [markdown]
# *What it does not show:* causes. Blocked requests go with churn because growing tenants hit their
# limits, because unhappy ones retry, and perhaps because blocking drives out. Only arms drawn by
# chance can tell these apart: `notebooks/read_effects.py`. Looking at sixty features one by one
# also finds three "significant" ones in pure noise; a model is judged on organisations and weeks
# that it has not seen, and so should you be.
#
# ## Who is near the limit?
#
# `dose_<arm>` is the share of demand that an arm would block, more than arm 100 does. Where it is
# next to 0, nothing that Flyball does can reach the tenant; there only cost counts.

# %%
doses = frame[["dose_70", "dose_85", "dose_130"]].abs() > 0.005
axis = (100 * doses.mean()).plot.bar(figsize=(5, 2.6), rot=0, ylabel="% of decisions")
axis.set_title("Who would feel an arm")
axis.figure.tight_layout()

# %% [markdown]
# Something missing here? `docs/how-to/add-a-feature.md`.
