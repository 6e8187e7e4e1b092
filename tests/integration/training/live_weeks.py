"""Weeks of live decisions, and who left, for tests that watch for harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from flyball.decision import Assignment
from flyball.home import Home
from flyball.instant import DAY_US
from ledger.records import Subscription, SubscriptionKind
from ledger.sqlite_ledger import open_ledger
from tests.contract.ledger_store.records import NOW, account, decision, plan

WEEK_US = 7 * DAY_US
TENANTS, WEEKS = 400, 5
LATER = NOW + WEEKS * WEEK_US


def live_weeks(home: Home, *, acted_churn: float, model_version: str = "") -> None:
    """Weeks in which a quarter was kept at 100 and lost 1 % of its tenants."""
    rng = np.random.default_rng(3)
    decisions, left = [], []
    for week in range(WEEKS):
        for number in range(TENANTS):
            name, start = f"t{week}-{number}", NOW + week * WEEK_US
            kept = bool(rng.random() < 0.25)
            decisions.append(
                replace(
                    decision(name, start=start, arm=100 if kept else 85),
                    assignment=Assignment.HOLDOUT if kept else Assignment.DRAWN,
                    proposed_arm=85,
                    marginal_propensity=0.25 if kept else 0.75,
                    model_version=model_version,
                )
            )
            if rng.random() < (0.01 if kept else acted_churn):
                left.append((name, start + DAY_US))
    with open_ledger(home) as ledger:
        ledger.import_plans([plan("free")], now_us=NOW)
        ledger.import_accounts([account(d.tenant_id) for d in decisions], now_us=NOW)
        ledger.append_decisions(decisions)
        ledger.import_subscriptions(
            [
                Subscription(
                    subscription_id=name,
                    tenant_id=name,
                    time_us=at,
                    known_us=at,
                    kind=SubscriptionKind.CHURNED,
                )
                for name, at in left
            ]
        )
