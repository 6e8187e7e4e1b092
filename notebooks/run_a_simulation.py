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
# # Run a simulation
#
# Before real money meets a policy, it can live in worlds whose truth is known. The simulator shares
# no code with the learner and none of its assumptions: eleven *families* say how tenants respond to
# blocked requests. This notebook asks
#
# 1. what does a family's response look like?
# 2. how much is there to gain in it at all, and how much to lose?
# 3. what does *the product* make of it?

# %%
import json
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from commands.main import run
from simulation.calendar_week import hour_of
from simulation.history import write_history
from simulation.responses.families import FAMILIES
from simulation.truth import mean_effects
from simulation.week import Setup

TENANTS = int(os.environ.get("FLYBALL_NOTEBOOK_TENANTS", "600"))
WEEKS = int(os.environ.get("FLYBALL_NOTEBOOK_WEEKS", "26"))
work = Path(tempfile.mkdtemp(prefix="flyball-notebook-"))
pd.DataFrame(
    [(name, family.held_out, family.unlogged) for name, family in FAMILIES.items()],
    columns=["family", "held out of all tuning", "interventions never written down"],
)

# %% [markdown]
# ## What friction truly does
#
# One short life in each of three worlds. Every tenant's true chances under *every* arm are kept
# beside the world, where no learner can look. Averaged over tenants, against arm 100:

# %%
truths = {}
for family in ("smooth", "habit", "null"):
    history = write_history(
        work / family,
        Setup(tenants=TENANTS, weeks=6, seed=7, family=family),
        hour_of("2026-06-01T00:00:00Z"),
    )
    truths[family] = pd.DataFrame(mean_effects(history.truth.table())).T * 100

figure, axes = plt.subplots(1, 3, figsize=(10, 2.8), sharey=True)
for axis, (family, table) in zip(axes, truths.items(), strict=True):
    axis.plot(table.index, table["upgraded"], "o-", label="upgraded")
    axis.plot(table.index, table["churned"], "s-", label="churned")
    axis.axhline(0, color="0.7", linewidth=1)
    axis.set(title=family, xlabel="arm")
axes[0].set_ylabel("points a week")
axes[0].legend()
figure.tight_layout()

# %% [markdown]
# *What it does not show:* averages hide who. In `sign_flip` the average is small because two
# segments buy and two leave. And a week's average is not yet money: who leaves takes all later
# months along.
#
# ## What there is to gain
#
# `flyball simulate` lets every policy live in the same world with the same luck: tenant 17 meets
# the same demand in week 9 whatever anybody decided, so that differences are differences of
# policies. *Static* and constant arms are played by the simulator alone, and so is the *oracle*,
# which knows every tenant's true response and keeps the product's guardrails. That takes seconds.

# %%
FIGURES = work / "figures.json"
arguments = [
    "--home", str(work / "home"), "simulate", "--families", "smooth,habit,null",
    "--policies", "static,constant_70,constant_85,constant_130,oracle",
    "--tenants", str(TENANTS), "--seeds", "1", "--weeks", str(min(WEEKS, 26)),
    "--series", "none", "--jobs", "1", "--json", str(FIGURES),
]  # fmt: skip
assert run(arguments) == 0  # prints two tables a family; the figures follow below

# %%
cells = json.loads(FIGURES.read_text())["cells"]
rows = [{"family": c["family"], "policy": c["policy"], **c["figures"]} for c in cells]
table = pd.DataFrame(rows).pivot_table(
    index="policy", columns="family", values="against_static_percent"
)
table.round(2)

# %%
axis = table.plot.bar(figsize=(8, 3), rot=20)
axis.axhline(0, color="0.6", linewidth=1)
axis.set(ylabel="% of static's money", xlabel="", title="One seed: no bar here is evidence")
axis.figure.tight_layout()

# %% [markdown]
# Read three things from it.
#
# - **The same arm helps in one world and harms in the next.** No constant arm is safe: that is why
#   Flyball learns, and why it stays at 1 until it has.
# - **The oracle's bar is the room.** A policy that gains half of it does well.
# - **`null` is where restraint shows.** Every bar is next to nothing; a policy that moves many
#   tenants there moves them for nothing.
#
# One seed is luck. `--seeds 1,2,3,4,5` gives paired differences with bounds; families are never
# averaged, because you do not know in which one you live.
#
# ## And the product?
#
# Every other name is one of the product's policies. It is taught by 26 weeks of logged exploration
# (import, features, gates and all) and then decides live, through files, from a home of its own.
# Let this one run while you get a coffee:
#
# ```console
# $ flyball simulate --quick --out report.html
# ```
#
# Its report tells for each family what `value` earned against static, the churn that its friction
# added (the same tenants, in a parallel world without it), the worst segment, and each criterion
# with its verdict. *What no simulation shows* is which family your customers are. Only your own
# holdout does.
