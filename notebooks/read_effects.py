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
# # Reading effects, and where they end
#
# A model that predicts who leaves says nothing about what a tighter limit *changes*. Flyball learns
# that change, the **effect** of an arm, from decisions that were drawn by chance with logged
# probabilities. This notebook answers three questions on data whose truth we know:
#
# 1. What does an effect say, and how sure is it?
# 2. What does it say when there is nothing, or too little, to find?
# 3. What does it *not* say?
#
# Everything is made up by `training.rehearsal`, so nothing has to be prepared; `dataset` can be
# replaced by your own (last cell). The estimator is the one that serves: an R-learner on dose
# (`docs/reference/effects.md`).

# %%
import os
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from training.estimators.dose_effects import DoseEffects
from training.estimators.dose_learner import DoseLearner
from training.estimators.table import table_of
from training.rehearsal import World, rehearse

TENANTS = int(os.environ.get("FLYBALL_NOTEBOOK_TENANTS", "900"))
# Twice as sensitive in small businesses; per unit of blocked share, in probability a week.
WORLD = World(
    tenants=TENANTS, weeks=24, seed=3, base=(0.06, 0.01, 0.03),
    upgrade_effect=0.30, churn_effect=0.12, segment_factor=2.5,
)  # fmt: skip
SEGMENTS = ("enterprise", "smb")
OUTCOMES = ("upgrade", "downgrade", "churn")
learner = DoseLearner(redraws=199)  # 499 by default; fewer here only to be quick

dataset = rehearse(WORLD)
dataset.rows.to_pandas()[["tenant_id", "segment", "arm", "propensity", "dose_70", "outcome"]].head()

# %% [markdown]
# ## Who can feel an arm at all?
#
# The **dose** of an arm is the share of requests it is expected to block, more than arm 100 does.
# A tenant far below its limit has dose 0: no arm can do anything to it, and only cost counts. Such
# rows are left out before anything is fitted.

# %%
table = table_of(dataset, SEGMENTS)
felt = np.abs(dataset.dose()).max(axis=1) >= 0.005
figure, axis = plt.subplots(figsize=(7, 2.6))
for arm, colour in ((70, "tab:red"), (85, "tab:orange"), (130, "tab:blue")):
    dose = dataset.dose()[felt, dataset.arms.index(arm)]
    axis.hist(dose, bins=40, histtype="step", color=colour, label=f"arm {arm}")
axis.set(xlabel="dose", ylabel="decisions", yscale="log")
axis.set_title(f"{felt.mean():.0%} of decisions can be felt by some arm")
axis.legend()
figure.tight_layout()

# %% [markdown]
# *What it does not show:* what really was blocked. Dose is an expectation from demand before the
# decision; what was blocked afterwards is a consequence, and never enters.
#
# ## Is there anything?
#
# Before an effect is read, chance has to be ruled out. Arms are drawn again and again from the
# logged probabilities; a **block** of the model (one effect for all, by segment, by plan, by risk,
# personal, carried over) opens only where the real draw explains more than 95 % of the redraws. A
# closed block counts as exactly 0.

# %%
effects = learner.fit(table)
print(effects.summary)
assert isinstance(effects, DoseEffects), "too few events: raise FLYBALL_NOTEBOOK_TENANTS"


def blocks(fitted: DoseEffects) -> pd.DataFrame:
    """p-values of every block, and which of them opened."""
    rows = []
    for outcome in fitted.outcomes:
        for block, p in outcome.p_values.items():
            rows.append((outcome.name, block, p, "open" if block in outcome.opened else ""))
    return pd.DataFrame(rows, columns=["outcome", "block", "p", "used"])


blocks(effects).pivot_table(index="block", columns="outcome", values="p").round(3)

# %% [markdown]
# *What it does not show:* a large p is not proof of absence. It says that these draws cannot tell
# the effect from luck; the block's standard deviation stays, and the policy pays for it.
#
# ## The effect, beside the truth
#
# Each point is an average over the decisions of a segment: what an arm adds to a week's probability
# against arm 100. Bars are 95 % intervals; crosses are the truth, which only a rehearsal knows.


# %%
def read(fitted: DoseEffects, world: World) -> pd.DataFrame:
    """Mean effect, interval and truth by segment, arm and outcome, in percentage points."""
    rows = []
    subjects = table.subjects
    found = fitted.effects(subjects)
    for code, segment in enumerate(SEGMENTS):
        here = subjects.segment == code
        factor = world.segment_factor if segment == "smb" else 1.0
        for at, arm in enumerate(dataset.arms):
            for k, strength in ((0, world.upgrade_effect), (2, world.churn_effect)):
                # The segment's effect moves as one: its error does not shrink with more rows.
                mean, sd = found.mean[here, at, k].mean(), found.sd[here, at, k].mean()
                true = factor * strength * np.nan_to_num(subjects.dose[here, at]).mean()
                rows.append((segment, arm, OUTCOMES[k], 100 * mean, 196 * sd, 100 * true))
    return pd.DataFrame(rows, columns=["segment", "arm", "outcome", "effect", "half", "truth"])


def draw(reading: pd.DataFrame, title: str) -> None:
    """Effects with intervals by arm, a panel per outcome."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharex=True)
    for axis, (outcome, rows) in zip(axes, reading.groupby("outcome", sort=False), strict=True):
        axis.axhline(0, color="0.7", linewidth=1)
        for shift, (segment, part) in zip((-1.2, 1.2), rows.groupby("segment"), strict=True):
            bars = axis.errorbar(
                part["arm"] + shift, part["effect"], part["half"], fmt="o", label=segment
            )
            axis.plot(part["arm"] + shift, part["truth"], "x", color=bars[0].get_color())
        axis.set(title=outcome, xlabel="arm", ylabel="points a week", xticks=list(dataset.arms))
    axes[0].legend()
    figure.suptitle(title)
    figure.tight_layout()


reading = read(effects, WORLD)
draw(reading, "Tightening sells to small businesses, and drives some of them away")

# %%
reading[reading["arm"] == 70].round(2)

# %% [markdown]
# The rehearsal's truth is a straight line in dose. The estimator believes that each further bit of
# a blocked share is felt less, so its line bends: crosses lie outside the dots at arm 70, inside
# them at arm 85. That error is *not* in the bars. An interval covers chance, never a wrong
# form; for forms, see `flyball simulate`, whose eleven families are all unlike the estimator's.
#
# ## Nothing to find
#
# The same experiment where arms change nothing. At most one such experiment in twenty may open any
# block; the others give exactly 0.

# %%
nothing = replace(WORLD, upgrade_effect=0.0, churn_effect=0.0, seed=4)
null = learner.fit(table_of(rehearse(nothing), SEGMENTS))
print(null.summary)
print(f"p of 'arms do nothing to anything': {null.evidence['p_any']:.3f}")

# %% [markdown]
# ## Too little to say
#
# And the first experiment again, after three weeks. "Insufficient evidence" is not 0: there is no
# number, trust is *none*, and no policy may act on the arm.

# %%
early = rehearse(replace(WORLD, tenants=200, weeks=3))
little = learner.fit(table_of(early, SEGMENTS))
print(little.summary)
print("upgrades, downgrades, churns so far:", early.events())

# %% [markdown]
# ## Risk is not effect
#
# Rank tenants by their risk of leaving, and rank them by what arm 70 adds to it. If risk told us
# whom to leave alone, the two would agree. Here the risk is driven by log-ins and the effect by
# segment and dose, so they do not.

# %%
subjects = table.subjects
added = 100 * effects.effects(subjects).mean[:, dataset.arms.index(70), 2]
risk = -subjects.x[:, dataset.features.index("logins")]
known = np.isfinite(risk)
figure, axis = plt.subplots(figsize=(6, 3))
for code, segment in enumerate(SEGMENTS):
    rows = known & (subjects.segment == code)
    axis.scatter(risk[rows], added[rows], s=3, alpha=0.4, label=segment)
axis.set(xlabel="risk of churn (log-ins missing, standardised)", ylabel="points added by arm 70")
correlation = np.corrcoef(risk[known], added[known])[0, 1]
axis.set_title(f"correlation {correlation:+.2f}")
axis.legend()
figure.tight_layout()

# %% [markdown]
# ## What effects never say
#
# - **Nobody in particular.** `trust` tells how personal an effect is: *pooled* is everybody's,
#   *segment* that of its like, *personal* follows features that held up on redraws. None of them
#   was measured on the one tenant you are looking at.
# - **No other arms.** Between 70 and 130, what was drawn; an arm with fewer than 100 effective
#   draws has no effect.
# - **No other times.** A learner knows the weeks it saw. Carry-over is tested; a world that changes
#   is noticed only by holdout and by `flyball retrain`'s drift report.
# - **Nothing about who was never drawn**: new tenants in their first 30 days, tenants near a
#   renewal, tenants whose contract is the whole base limit.
#
# ## Your own
#
# ```python
# from pathlib import Path
# from commands.training_data import load_dataset
# from flyball.home import Home
# from flyball.instant import parse_instant
#
# dataset = load_dataset(Home(Path(".flyball").absolute()), parse_instant("2026-06-01T00:00:00Z"))
# table = table_of(dataset, tuple(dataset.groups("segment")[1]))
# ```
#
# A table from anywhere else (arms, propensities, outcomes) goes through the same estimator with
# `flyball effects TABLE --spec SPEC`; see `docs/reference/effects-spec.md`.
