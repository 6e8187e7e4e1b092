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
# # Why did this tenant get 0.85?
#
# A customer calls: the limit is lower than last week. There are only three honest answers: *a
# policy chose it* (because of what the models say of accounts like this one), *a lot chose it* (an
# experiment, so that effects stay measurable), or *a person did*. This notebook finds out which,
# then does the policy's sum by hand.
#
# Needed is a home with decisions: `make demo ONCE=1` makes one, or let `FLYBALL_HOME` name yours.
# Nothing is written to it.

# %%
import json
import os
from pathlib import Path

import pandas as pd

from flyball.arm import DEFAULT_GRID
from flyball.economics import Economics
from flyball.home import Home
from flyball.instant import HOUR_US, format_instant
from flyball.money import TenantMoney
from flyball.outlook import ArmEffect, Estimate, Hazards, Outlook, Trust
from flyball.policies.registry import policy_named
from flyball.policy import TenantView
from flyball.reason import Reason
from flyball.value import arm_advantage, worth_of
from ledger.decision_log import decision_log_table
from ledger.explanations import Explanations
from ledger.sqlite_ledger import read_ledger

places = [Path(".flyball/demo"), Path("../.flyball/demo")]
here = os.environ.get("FLYBALL_HOME") or next((p for p in places if p.exists()), places[0])
home = Home(Path(here).resolve())

# %% [markdown]
# ## The record
#
# Every decision is in the ledger with what was offered and each arm's probability at the draw. The
# tenant asked about is the first whose newest decision is 0.85, or the tightest there is.

# %%
with read_ledger(home) as ledger:
    log = decision_log_table(ledger).to_pandas()
newest = log[log["start_hour"] == log["start_hour"].max()]
asked = newest[newest["arm"] == 85]
record = (asked if len(asked) else newest.sort_values("arm")).iloc[0]
tenant = os.environ.get("FLYBALL_NOTEBOOK_TENANT") or str(record["tenant_id"])
record = log[log["tenant_id"] == tenant].iloc[-1]
record

# %%
offered = {int(arm): p for arm, p in json.loads(record["offered"]).items()}
since = format_instant(int(record["start_hour"]) * HOUR_US)
print(f"{tenant} has {record['arm'] / 100:.2f} since {since}")
print("offered, with what probability:", {arm / 100: round(p, 3) for arm, p in offered.items()})
likeliest = max(offered, key=offered.__getitem__)
by_lot = record["assignment"] == "drawn" and record["arm"] != likeliest
if by_lot:
    print(f"A lot chose it: the policy wanted {likeliest / 100:.2f}.")
elif record["assignment"] == "drawn":
    print("The policy's own choice; the draw could have taken another.")
else:
    print(f"Not drawn: {record['assignment']}.")

# %% [markdown]
# If a lot chose it, **stop here**: no property of this tenant explains it, and whoever gives the
# customer a reason beyond "we vary limits within your contract" makes it up. `docs/ethics.md` says
# what must be disclosed; `flyball override` exempts the account.
#
# How this week's arms came about, over everybody:

# %%
pd.crosstab(newest["assignment"], newest["arm"])

# %% [markdown]
# ## What the models saw
#
# Where a champion decides, the control loop keeps the numbers behind each decision: contributions
# of factor groups, and what each arm would change.

# %%
explained = None
if home.explanations.exists():
    with Explanations(home.explanations, read_only=True) as file:
        explained = file.of(tenant)
if explained is None:
    print("Nothing is kept for this tenant: there is no champion, or `flyball serve` has not run.")
else:
    evidence = explained.current
    print("model", evidence.model_version, "as of", format_instant(evidence.as_of_us))
    groups = pd.DataFrame(evidence.contributions)[["upgrade", "churn"]]
    axis = groups.plot.barh(figsize=(8, 3))
    axis.axvline(0, color="0.6", linewidth=1)
    axis.set(xlabel="contribution, log-odds", title=f"{tenant}: associated with, not caused by")
    axis.figure.tight_layout()

# %%
if explained is not None:
    names = ["arm", "trust", "dose", "upgrade", "upgrade_sd", "churn", "churn_sd", "propensity"]
    rows = [[getattr(view, name) for name in names] for view in explained.current.arms]
    print(pd.DataFrame(rows, columns=names).round(4).to_string(index=False))

# %% [markdown]
# The first picture tells why its *risk* is what it is. It does not tell why its *arm* is: a tenant
# may be at great risk and yet feel nothing of any arm. The arms do; read `trust` before the numbers
# (*segment*: measured on accounts like it, not on it).
#
# ## The sum, by hand
#
# The value policy adds up money. Here is an account for which it comes to 0.85, in numbers that you
# can check on paper; change one and run on.

# %%
economics = Economics(margin=0.8, support_cost_minor=1_500.0)
money = TenantMoney(mrr_minor=50_000, upgrade_gain_minor=70_000, downgrade_loss_minor=30_000)
hazards = Hazards(upgrade=0.012, downgrade=0.003, churn=0.004)  # a week, at 1


def effect(arm: int, dose: float, upgrade: float, churn: float) -> ArmEffect:
    """An arm's effect in points a week, known to a third of its size."""
    up, out = upgrade / 100, churn / 100
    return ArmEffect(
        arm=arm, dose=dose, trust=Trust.SEGMENT,
        upgrade=Estimate(up, abs(up) / 3), downgrade=Estimate(0.0, 0.0),
        churn=Estimate(out, abs(out) / 3),
    )  # fmt: skip


effects = {
    70: effect(70, 0.20, upgrade=0.9, churn=1.0),
    85: effect(85, 0.07, upgrade=0.6, churn=0.3),
    115: effect(115, -0.03, upgrade=-0.2, churn=-0.1),
}
outlook = Outlook(hazards=hazards, effects=effects)
worth = worth_of(hazards, money, economics, period_days=7)
assert not isinstance(worth, Reason)
print({name: round(value / 100) for name, value in worth._asdict().items()}, "dollars each")

# %%
rows = []
for arm, known in effects.items():
    total = arm_advantage(worth, outlook, known)
    gain, loss = known.upgrade.mean * worth.upgrade, known.churn.mean * worth.churn
    cautious = total.mean - 0.5 * total.sd
    rows.append((arm, gain, -loss, total.mean - gain + loss, total.mean, cautious))
columns = ["arm", "upgrades", "churn", "cost", "sum", "cautious sum"]
table = (pd.DataFrame(rows, columns=columns).set_index("arm") / 100).round(2)  # dollars a week
table

# %%
axis = table[["upgrades", "churn", "cost"]].plot.bar(stacked=True, figsize=(6, 3), rot=0)
axis.plot(range(len(table)), table["cautious sum"], "k_", markersize=30, label="cautious sum")
axis.axhline(0, color="0.6", linewidth=1)
axis.legend(fontsize=8)
axis.set(ylabel="dollars a week against 1", title="The largest cautious sum above 0 wins")
axis.figure.tight_layout()

# %%
policy = policy_named("value")
view = TenantView(
    tenant_id="example", arms=DEFAULT_GRID, outlook=outlook, money=money, economics=economics
)
proposal = policy.propose(view)
print(proposal.arm / 100, [reason.value for reason in proposal.reasons])

# %% [markdown]
# 0.70 sells more upgrades, but drives out more than that is worth; 0.85 is where the sum is largest
# after half a standard deviation of doubt. The bound comes after: contract limit, guardrails,
# steps, a person's override, holdout and budgets can each take an arm away before the draw, never
# after. Take the upgrades away, as for a customer who pays for the highest plan already:

# %%
highest = TenantMoney(mrr_minor=50_000, upgrade_gain_minor=0, downgrade_loss_minor=30_000)
again = policy.propose(
    TenantView(
        tenant_id="example", arms=DEFAULT_GRID, outlook=outlook, money=highest, economics=economics
    )
)
print(again.arm / 100, [reason.value for reason in again.reasons])

# %% [markdown]
# Nothing is left to sell, so friction has only its price, and a little more room is worth its cost.
#
# ## What to say, and what not
#
# - To the customer: what applies, since when, never less than what the contract promises, and how
#   to appeal. No score, no chance, no experiment's name: the console has the sentence.
# - To a colleague: the three numbers that decided (upgrades, churn, doubt) and their trust.
# - To nobody: "because your log-ins fell". That is what the *risk* goes with. Nothing here knows
#   what would happen if they rose.
#
# The same by HTTP: `GET /v1/decisions/{tenantId}/explanation`.
