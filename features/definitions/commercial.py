"""What the tenant pays, for how long, and what has changed."""

from __future__ import annotations

from functools import partial
from typing import Any

import ibis

from features.definitions.portable import largest, log1p, real, rows
from features.definitions.registry import feature as any_feature
from features.definitions.registry import measure

Expr = Any
feature = partial(any_feature, group="commercial")


@feature(unit="day", window="now", null="no account known")
def tenure_days(as_of_hour: Expr, created_hour: Expr) -> Expr:
    """Days since the account was created."""
    return real(as_of_hour - created_hour) / 24.0


@feature(unit="rank", window="now", null="no plan known")
def plan_rank(rank: Expr) -> Expr:
    """Rank of the plan in the upgrade order."""
    return rank


@feature(unit="log currency", window="now", null="no plan known")
def plan_price(price: Expr) -> Expr:
    """Natural logarithm of 1 + the plan's monthly list price, in the economics' currency."""
    return log1p(price)


@feature(unit="log currency", window="now", null="neither revenue nor price known")
def mrr_log(mrr: Expr) -> Expr:
    """Natural logarithm of 1 + monthly recurring revenue (the list price where none is known)."""
    return log1p(mrr)


@feature(unit="day", window="now", null="no term contract")
def renewal_days(renewal_hour: Expr, as_of_hour: Expr) -> Expr:
    """Days until the term contract's renewal; negative once it has passed."""
    return real(renewal_hour - as_of_hour) / 24.0


@measure
def upgrade_count(changes: Expr) -> Expr:
    """Upgrades ever."""
    return rows(changes.kind == "upgraded")


@measure
def downgrade_count(changes: Expr) -> Expr:
    """Downgrades ever."""
    return rows(changes.kind == "downgraded")


@measure
def change_newest(changes: Expr) -> Expr:
    """Hour of the newest upgrade or downgrade."""
    return largest(changes.event_hour, changes.kind.isin(("upgraded", "downgraded")))


@feature(unit="1", window="ever", null="never")
def upgrades(upgrade_count: Expr) -> Expr:
    """Number of upgrades so far."""
    return ibis.coalesce(upgrade_count, 0.0)


@feature(unit="1", window="ever", null="never")
def downgrades(downgrade_count: Expr) -> Expr:
    """Number of downgrades so far."""
    return ibis.coalesce(downgrade_count, 0.0)


@feature(unit="day", window="ever", null="the plan never changed")
def plan_change_days(change_newest: Expr, as_of_hour: Expr) -> Expr:
    """Days since the newest upgrade or downgrade."""
    return real(as_of_hour - change_newest) / 24.0
