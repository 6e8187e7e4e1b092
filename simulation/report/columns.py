"""The columns of every table of results: a figure's name, its heading, and what it means."""

from __future__ import annotations

import math

from simulation.report.grid import Line

#: Figure, heading, meaning.
COLUMNS = (
    (
        "against_static_percent",
        "value",
        "net value against static, percent: 26 weeks and what revenue is worth after",
    ),
    ("realised_percent", "lived", "the same for the weeks lived only"),
    ("tenant_equal_percent", "per tenant", "the same, every tenant counting alike"),
    (
        "revenue_retention_percent",
        "retention",
        "monthly revenue at the end of who was here at the start, percent of it",
    ),
    ("conversion_lift_percent", "lift", "upgrades more than under static, percent"),
    (
        "friction_churn_percent",
        "friction churn",
        "churn more than the same tenants without friction, percent of those ever tightened",
    ),
    ("regret_percent", "regret", "what the oracle under the same guardrails earns more, percent"),
    ("worst_segment_percent", "worst segment", "value of the segment that fares worst, percent"),
    ("friction_share_percent", "friction", "tenant weeks below 1, percent"),
    ("overdraft_share_percent", "overdraft", "tenant weeks above 1, percent"),
    (
        "chosen_at_one_percent",
        "chose 1",
        "decisions in which the policy itself (exploration apart) chose 1, percent",
    ),
)


def shown(line: Line, figure: str) -> str:
    """One figure as text; the net value with the half width of its one-sided 95 % bound."""
    value = line.mean.get(figure)
    if value is None:
        return "-"
    if figure.endswith(("share_percent", "one_percent", "retention_percent")):
        return f"{value:.1f}"
    text = f"{value:+.2f}"
    if figure == "against_static_percent" and line.policy != "static":
        text += " ± ?" if math.isnan(line.bound) else f" ± {line.bound:.2f}"
    return text
