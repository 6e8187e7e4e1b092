"""The columns of My accounts: in the table, in the chooser and in the export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from console.book.attention import changes, flags
from console.design.display import iso
from console.design.words import factor, sentences
from console.standings.row import Standing

Cell = str | float | int | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``cells`` are its headings and values in an export.

    ``order`` names what it sorts by (empty: it cannot), ``falling`` whether the first click sorts
    downwards; ``shown`` whether it is there before anybody chooses.
    """

    key: str
    heading: str
    cells: Callable[[Standing, int], dict[str, Cell]]
    order: str = ""
    right: bool = False
    falling: bool = False
    shown: bool = True


COLUMNS: tuple[Column, ...] = (
    Column(
        "account", "Account", lambda r, _: {"account": r.title, "tenant_id": r.tenant_id},
        "account",
    ),
    Column("owner", "Owner", lambda r, _: {"owner": r.owner}, "owner"),
    Column("plan", "Plan", lambda r, _: {"plan": r.plan}, "plan"),
    Column(
        "arr", "ARR",
        lambda r, _: {"arr_minor": None if r.arr_minor is None else round(r.arr_minor)},
        "arr", right=True, falling=True,
    ),
    Column("renewal", "Renewal", lambda r, _: {"renewal": iso(r.renewal_us)}, "renewal"),
    Column(
        "churn", "Churn risk",
        lambda r, _: {"churn_28_days": r.churn, "churn_week_before": r.churn_before},
        "churn", falling=True,
    ),
    Column(
        "upgrade", "Upgrade chance",
        lambda r, _: {"upgrade_28_days": r.upgrade, "upgrade_week_before": r.upgrade_before},
        "upgrade", falling=True,
    ),
    Column(
        "trend", "Usage, 12 weeks", lambda r, _: {"usage_change_4_weeks": r.usage_trend}, "trend",
    ),
    Column(
        "reason", "Why",
        lambda r, _: {
            "reason": (sentences(r.codes) or [""])[0],
            "churn_factor": factor(r.churn_factor),
            "upgrade_factor": factor(r.upgrade_factor),
        },
    ),
    Column(
        "change", "Since last week",
        lambda r, now_us: {"since_last_week": "; ".join(changes(r, now_us))},
        "change", falling=True,
    ),
    Column(
        "multiplier", "Multiplier",
        lambda r, _: {
            "multiplier": None if r.arm is None else r.arm / 100,
            "set_by": r.override_author or r.set_by,
            "effective_limit": r.effective_limit,
        },
        "multiplier",
    ),
    Column(
        "touch", "Last touch",
        lambda r, _: {
            "last_touch": iso(r.touch_us), "touch": r.touch, "touched_by": r.touch_author
        },
        "touch", falling=True,
    ),
    Column(
        "task", "Open task",
        lambda r, _: {"open_tasks": r.open_tasks, "task_due": iso(r.task_due_us)},
        "task",
    ),
    Column("data", "Data", lambda r, _: {"last_usage": iso(r.usage_us)}, "data"),
    Column("segment", "Segment", lambda r, _: {"segment": r.segment}, "segment", shown=False),
    Column("region", "Region", lambda r, _: {"region": r.region}, "region", shown=False),
    Column("seats", "Seats", lambda r, _: {"seats": r.seats}, "seats", right=True, shown=False),
    Column(
        "attention", "Attention",
        lambda r, now_us: {
            "attention": round(r.attention),
            "cannot_wait": "; ".join(flag.text for flag in flags(r, now_us)),
        },
        "attention", right=True, falling=True, shown=False,
    ),
)  # fmt: skip

BY_KEY = {column.key: column for column in COLUMNS}
SHOWN = tuple(column.key for column in COLUMNS if column.shown)
