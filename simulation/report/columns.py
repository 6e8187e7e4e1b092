"""The columns of every table of results: a figure's name, its heading, and what it means."""

from __future__ import annotations

import math

from simulation.report.grid import Line

#: What a policy earned: figure, heading, meaning.
MONEY: tuple[tuple[str, str, str], ...] = (
    (
        "against_static_percent",
        "value",
        "net value against static, percent: 26 weeks and what revenue is worth after",
    ),
    ("realised_percent", "lived", "the same for the weeks lived only"),
    ("tenant_equal_percent", "per tenant", "the same, every tenant counting alike"),
    ("worst_segment_percent", "worst segment", "value of the segment that fares worst, percent"),
    (
        "revenue_retention_percent",
        "retention",
        "monthly revenue at the end of who was here at the start, percent of it",
    ),
    ("conversion_lift_percent", "lift", "upgrades more than under static, percent"),
    ("regret_percent", "regret", "what the oracle, which does not explore, earns more, percent"),
)
#: What it did to tenants, and what it took: the same.
CONDUCT: tuple[tuple[str, str, str], ...] = (
    (
        "friction_churn_percent",
        "friction churn",
        "churn more than the same tenants without friction, percent of those ever tightened",
    ),
    (
        "predicted_harm_percent",
        "predicted harm",
        "churn that the product's models predicted of all friction, exploration included, percent "
        "of the tenants ever tightened; the harm budget binds it",
    ),
    (
        "weeks_to_detect_harm",
        "noticed",
        "weeks until the product's own watch over live outcomes spoke (in so many of the seeds)",
    ),
    ("friction_share_percent", "friction", "tenant weeks below 1, percent"),
    ("overdraft_share_percent", "overdraft", "tenant weeks above 1, percent"),
    (
        "chosen_friction_percent",
        "chose friction",
        "decisions in which the policy itself (exploration apart) chose below 1, percent",
    ),
    (
        "chosen_at_one_percent",
        "chose 1",
        "decisions in which the policy itself (exploration apart) chose 1, percent",
    ),
    ("cpu_s", "CPU s", "processor seconds of its closed loop, the world's own included"),
)
COLUMNS = (*MONEY, *CONDUCT)

_SHARES = (
    "share_percent", "one_percent", "retention_percent", "chosen_friction_percent",
)  # fmt: skip
#: Figures that are shown with their bound over seeds.
_BOUNDED = (
    "against_static_percent", "tenant_equal_percent", "worst_segment_percent",
    "friction_churn_percent",
)  # fmt: skip


def shown(line: Line, figure: str) -> str:
    """One figure as text; the main ones with the half width of their one-sided 95 % bound."""
    value = line.mean.get(figure)
    if figure == "weeks_to_detect_harm":
        return _noticed(line)
    if value is None:
        return "-"
    if figure == "predicted_harm_percent":
        return f"{value:.2f}"
    if figure == "cpu_s":
        return f"{value:.0f}"
    if figure.endswith(_SHARES):
        return f"{value:.1f}"
    text = signed(value)
    if figure in _BOUNDED and line.policy != "static":
        half = line.half_width(figure)
        text += " ± ?" if math.isnan(half) else f" ± {half:.2f}"
    return text


def signed(value: float) -> str:
    """Two digits and a sign; what rounds to nothing has none."""
    return "0.00" if abs(value) < 0.005 else f"{value:+.2f}"


def _noticed(line: Line) -> str:
    """Mean weeks, and in how many seeds at all; a dash where nobody looked."""
    weeks = line.each.get("weeks_to_detect_harm", ())
    if "chosen_at_one_percent" not in line.each:
        return "-"
    if not weeks:
        return "never"
    return f"{sum(weeks) / len(weeks):.0f} ({len(weeks)} of {line.seeds})"
