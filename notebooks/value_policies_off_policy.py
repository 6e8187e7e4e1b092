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
# # What would another policy have earned?
#
# The log holds what one policy did. Would a new one have done better? You cannot look at the weeks
# in which the new policy would have acted, because it did not act. But arms were drawn by chance,
# and the chance was written down, so each logged row can stand for those that were not drawn: it
# counts 1 ÷ its probability. That is **off-policy value**, and this notebook shows
#
# 1. how to ask, and how to read the interval;
# 2. when the answer is a refusal, and why a refusal is right;
# 3. why the answer is a veto and not a certificate;
# 4. what happens when you look again every week.
#
# Everything is made up by `training.rehearsal`, so that the truth can stand beside each answer.

# %%
import os
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from training.off_policy.comparison import compare
from training.off_policy.harm_watch import HarmWatch, organisation_increments
from training.off_policy.off_policy_gate import off_policy_gate
from training.off_policy.overlap import OverlapRule, Refused
from training.off_policy.unit_rows import logged_units, usable_units
from training.off_policy.value import ValueSettings, policy_value
from training.outcome import Outcome
from training.rehearsal import World, rehearse

TENANTS = int(os.environ.get("FLYBALL_NOTEBOOK_TENANTS", "900"))
WORLD = World(
    tenants=TENANTS, weeks=16, seed=11, base=(0.06, 0.01, 0.03),
    upgrade_effect=0.10, churn_effect=0.25, segment_factor=2.5,
)  # fmt: skip
dataset = rehearse(WORLD)
dataset = dataset.take(usable_units(dataset))

# %% [markdown]
# ## The log, and what a row earned
#
# A row is one tenant's week: the arm that was drawn, the probability of every arm, and what came of
# it. Say an upgrade is worth 30 % of a tenant's yearly revenue, a downgrade costs as much, and
# a churn costs all of it. (Live gates price each tenant by `economics.json` instead.)

# %%
WORTH = {Outcome.UPGRADE: 0.3, Outcome.DOWNGRADE: -0.3, Outcome.CHURN: -1.0}
reward = sum(worth * dataset.outcome(outcome) for outcome, worth in WORTH.items())
logged = logged_units(dataset, np.asarray(reward, dtype=np.float64))
arms = dataset.arms
static = logged.constant(arms.index(100))

# %% [markdown]
# ## Three policies
#
# As tables of probabilities, a row for each logged row: tighten everybody; relax everybody; tighten
# only enterprises, who in this world mind it least. (Friction does more harm than good here.)

# %%
enterprise = (np.asarray(dataset.text("segment")) == "enterprise")[:, None]
policies = {
    "static (100)": static,
    "everybody 70": logged.constant(arms.index(70)),
    "everybody 130": logged.constant(arms.index(130)),
    "enterprise 85": np.where(enterprise, logged.constant(arms.index(85)), static),
}


def truth(policy: np.ndarray) -> float:
    """True difference from static per row: effects are linear in dose here, and known."""
    strength = np.where(enterprise[:, 0], 1.0, WORLD.segment_factor)
    per_dose = WORLD.upgrade_effect * WORTH[Outcome.UPGRADE]
    per_dose += WORLD.churn_effect * WORTH[Outcome.CHURN]
    return float(
        (strength * per_dose * (policy * np.nan_to_num(dataset.dose())).sum(axis=1)).mean()
    )


rows = []
for name, policy in policies.items():
    found = compare(logged, policy, static)
    if isinstance(found.difference, Refused) or found.same:
        continue
    d = found.difference
    verdict = off_policy_gate(found)
    rows.append((name, d.value, d.low, d.high, truth(policy), verdict.verdict.value))
table = pd.DataFrame(rows, columns=["policy", "difference", "low", "high", "truth", "gate"])
table.round(4)

# %%
figure, axis = plt.subplots(figsize=(8, 2.4))
at = np.arange(len(table))
error = [table["difference"] - table["low"], table["high"] - table["difference"]]
axis.errorbar(table["difference"], at, xerr=error, fmt="o", label="estimate, 95 %")
axis.plot(table["truth"], at, "kx", label="truth")
axis.axvline(0, color="0.7", linewidth=1)
axis.set(yticks=at, xlabel="difference from static, yearly revenues a week")
axis.set_yticklabels(table["policy"])
axis.margins(y=0.3)
axis.legend()
figure.tight_layout()

# %% [markdown]
# Differences are *paired*: both policies are valued on the same rows, so that the luck they share
# cancels. Intervals are clustered by organisation, because accounts that share a buyer share its
# mood.
#
# *What it does not show:* that the policy earns this next quarter. These weeks, these tenants, this
# competition; and none of the consequences that come after the period in which a row was drawn.
#
# ## When the log cannot speak
#
# Logs that explore little know little. Here is the same experiment if arms other than 100 had been
# drawn in one row of a hundred: the estimator refuses, and says what is missing. Look at the
# column *anyway*: what it would have said.

# %%
rng = np.random.Generator(np.random.Philox(5))
rare = np.where(np.arange(len(arms)) == arms.index(100), 0.99, 0.01 / (len(arms) - 1))
# Keep rows with the chance that makes their arm as rare as wanted: what such a draw would log.
keep = rng.random(len(logged)) < (rare / rare.max())[logged.arm]
thin = replace(logged.take(keep), offered=np.tile(rare, (int(keep.sum()), 1)))
thin_enterprise = enterprise[keep]
wanted = np.where(thin_enterprise, thin.constant(arms.index(85)), thin.constant(arms.index(100)))
asked = policy_value(thin, wanted)
anyway = policy_value(
    thin,
    wanted,
    ValueSettings(
        rule=OverlapRule(
            min_effective_rows=0, min_effective_events=0, min_tail_events=0,
            min_effective_organisations=0, max_row_share=1, max_organisation_share=1,
        )
    ),
)  # fmt: skip
print("asked: ", f"refused: {asked.reason}" if isinstance(asked, Refused) else asked.value)
if not isinstance(anyway, Refused):
    print(f"anyway: {anyway.value:+.4f} [{anyway.low:+.4f}, {anyway.high:+.4f}]")
    print(f"effective rows {anyway.overlap.effective_rows:.0f} of {anyway.overlap.rows}")

# %% [markdown]
# A handful of rows with weights in the hundreds decide such a number. Its interval comes from the
# same handful, and cannot know what it did not draw: measured coverage there was as low as 74 %
# instead of 95 % (`docs/reference/off-policy.md`). A refusal is
# *not applicable* at the gate; it never counts as passed.
#
# ## A veto, not a certificate
#
# Choose the best of many policies *on the log that judges them* and it will look good. Below, 40
# policies give every tenant an arm by lot, in a world where no arm does anything, and are compared
# with drawing each week as the log did.

# %%
nothing = rehearse(replace(WORLD, upgrade_effect=0.0, churn_effect=0.0, seed=12))
nothing = nothing.take(usable_units(nothing))
earned = sum(worth * nothing.outcome(outcome) for outcome, worth in WORTH.items())
empty = logged_units(nothing, np.asarray(earned, dtype=np.float64))
tenant = nothing.groups("tenant_id")[0]
luck = []
for _ in range(40):
    lots = rng.integers(0, len(arms), int(tenant.max()) + 1)[tenant]
    tried = compare(empty, np.eye(len(arms))[lots], empty.offered).difference
    if not isinstance(tried, Refused):
        luck.append((tried.value, tried.low, tried.high))
best = max(luck)
print(f"best of {len(luck)}: {best[0]:+.4f} [{best[1]:+.4f}, {best[2]:+.4f}]; the truth is 0")

# %%
figure, axis = plt.subplots(figsize=(8, 2.6))
ordered = np.asarray(sorted(luck))
axis.vlines(np.arange(len(ordered)), ordered[:, 1], ordered[:, 2], color="tab:blue", alpha=0.6)
axis.plot(ordered[:, 0], ".", color="tab:blue")
axis.axhline(0, color="0.5", linewidth=1)
axis.set(xlabel="policies, worst to best", ylabel="difference", title="Forty policies, no effect")
figure.tight_layout()

# %% [markdown]
# That is why the gates hold a policy against organisations that taught it nothing, why one look is
# registered before a promotion, and why only the holdout of a live rollout earns more trust.
#
# ## Looking every week
#
# A 95 % interval is right at one look. Whoever looks each week and stops at the first alarm is
# wrong far more often. `HarmWatch` may be looked at as often as you like: at most one false alarm
# in twenty, ever. The price is that it speaks later. Here are added churns under "everybody 70",
# against what we allow.

# %%
churned = logged_units(dataset, dataset.outcome(Outcome.CHURN).astype(np.float64))
# How far a value can fall below 0 follows from the lowest and highest outcome.
churned = replace(churned, bounds=(0.0, 1.0))
harsh = churned.constant(arms.index(70))
weeks = np.unique(dataset.start_hours())
watch, looks = HarmWatch(), []
for week in weeks:
    now = dataset.start_hours() == week
    batch = churned.take(now)
    watch = watch.seen(organisation_increments(batch, harsh[now], static[now], allowed=0.0005))
    looks.append((watch.mean, watch.floor(), watch.harmful))
figure, axis = plt.subplots(figsize=(8, 2.6))
axis.plot([mean for mean, _, _ in looks], label="mean harm so far")
axis.plot([floor for _, floor, _ in looks], label="at least this, at all looks together")
axis.axhline(0, color="0.5", linewidth=1)
alarm = next((number for number, look in enumerate(looks) if look[2]), None)
axis.set(xlabel="week", ylabel="churns an organisation")
axis.set_title("no alarm yet" if alarm is None else f"alarm in week {alarm + 1}")
axis.legend()
figure.tight_layout()

# %% [markdown]
# In production this is what moves the champion alias back by itself
# (`docs/how-to/retrain-promote-rollback.md`).
#
# ## On your own log
#
# `flyball train` does all of this with your prices, on held-out organisations, as the gates
# `off_policy_value.*` and `churn_harm.*`; the run's picture `arm_value` is the first figure above.
# With a dataset from `commands.training_data.load_dataset`, the cells here work as they are.
