"""One tenant, scored now: what would be proposed, and what may change at once.

Pure: a row of the table, the live context and the models' scores in, an evaluation out. Nothing is
drawn, logged or reserved, so nothing here can train. The proposal is advice. Only one thing takes
effect: demand far above what is usual ends friction at once, as the control loop would when it saw
the same demand in telemetry.
"""

from __future__ import annotations

import math

from flyball.arm import NEUTRAL
from flyball.economics import Economics
from flyball.money import TenantMoney
from flyball.outlook import Outlook, chances_under
from flyball.policy import Policy, TenantView
from flyball.reason import Reason
from serving.evaluating.feature_table import FeatureRow
from serving.evaluating.layout import TableHeader
from serving.evaluating.live_context import LiveContext
from serving.evaluating.verdict import Evaluation


def is_live_spike(
    header: TableHeader,
    mean_share: float,
    peak_share: float,
    context: LiveContext,
    base_limit: int | None,
) -> bool:
    """Whether demand of this very window is a spike.

    Parameters
    ----------
    mean_share, peak_share:
        Demand of a usual window and of the busiest one of 28 days, divided by the base limit; NaN
        where no demand was seen, and then nothing can be told.

    It is one from ``spike_hour_ratio`` times the usual window on, if no window of the last four
    weeks held as much: a tenant that works in bursts has its bursts every week.
    """
    demand = context.demand
    if not header.spike_rule or demand is None or not base_limit:
        return False
    if demand < header.spike_minimum or not (mean_share > 0.0 and math.isfinite(peak_share)):
        return False
    share = demand / base_limit
    return share >= header.spike_hour_ratio * mean_share and share > peak_share


def evaluate(
    header: TableHeader,
    policy: Policy,
    economics: Economics | None,
    row: FeatureRow,
    outlook: Outlook,
    *,
    arm_in_force: int,
    spike: bool,
) -> Evaluation:
    """Ask the policy, under the rules that hold at this moment."""
    arms = row.permitted or (NEUTRAL,)
    rules = row.rules
    moved: tuple[str, ...] = ()
    if spike and Reason.SPIKE.value not in rules:
        rules = (Reason.SPIKE.value, *rules)
        arms = tuple(arm for arm in arms if arm >= NEUTRAL) or (NEUTRAL,)
    if spike and arm_in_force < NEUTRAL:
        moved = (Reason.SPIKE.value,)
    proposal = policy.propose(
        TenantView(
            tenant_id="",
            arms=arms if NEUTRAL in arms else tuple(sorted((*arms, NEUTRAL))),
            outlook=outlook,
            segment=row.segment,
            plan=row.plan,
            previous_arm=arm_in_force,
            money=money_of(row),
            economics=economics,
            period_days=header.period_days,
        )
    )
    proposed = proposal.arm
    reasons = tuple(reason.value for reason in proposal.reasons)
    if proposed not in arms:
        # Only where a person's choice or the holdout leaves a single arm.
        proposed, reasons = arms[0], ()
    return Evaluation(
        served_arm=NEUTRAL if moved else arm_in_force,
        moved=moved,
        proposed_arm=proposed,
        reasons=tuple(dict.fromkeys((*reasons, *rules))),
        chances=chances_under(outlook, proposed, period_days=header.period_days),
        floor=row.floor,
    )


def money_of(row: FeatureRow) -> TenantMoney:
    """The row's money as policies know it."""

    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    cost = known(row.unit_cost_minor)
    return TenantMoney(
        mrr_minor=known(row.mrr_minor),
        upgrade_gain_minor=known(row.upgrade_gain_minor),
        downgrade_loss_minor=known(row.downgrade_loss_minor),
        unit_cost_minor=0.0 if cost is None else cost,
    )
