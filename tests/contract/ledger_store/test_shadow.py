"""What a challenger would do: logged once a decision and pair, told with what became of it."""

from __future__ import annotations

from dataclasses import replace

from flyball.instant import DAY_US
from ledger.records import Subscription, SubscriptionKind
from ledger.shadow import Said, ShadowDecision, ShadowRun
from ledger.store import Ledger
from tests.contract.ledger_store.records import NOW

RUN = ShadowRun(
    at_us=NOW, champion_version="b1", challenger_version="b2", tenants=2, duration_ms=3.0,
    scoring_ms=1.0,
)  # fmt: skip


def shadow(tenant: str = "t1", *, start: int = NOW, challenger: str = "b2") -> ShadowDecision:
    return ShadowDecision(
        decision_id=f"d_{tenant}_{start}",
        tenant_id=tenant,
        organisation="org",
        segment="smb",
        at_us=start,
        period_start_us=start,
        period_days=7,
        policy="value",
        policy_version="1:0.5",
        served_arm=100,
        champion=Said(version="b1", arm=100, reason="no_arm_pays", upgrade=0.1, churn=0.02),
        challenger=Said(
            version=challenger, arm=85, reason="upgrade_effect_outweighs_churn", upgrade=0.2,
            downgrade=0.01, churn=0.03, advantage_minor=12.5, others_minor=0.0,
        ),
    )  # fmt: skip


def outcome(tenant: str, kind: SubscriptionKind, at: int) -> Subscription:
    return Subscription(
        subscription_id=f"{tenant}-{kind}-{at}", tenant_id=tenant, time_us=at, known_us=at,
        kind=kind,
    )  # fmt: skip


def test_what_was_logged_comes_back_as_it_was(ledger: Ledger) -> None:
    assert ledger.append_shadow([shadow(), shadow("t2")], RUN) == 2
    found = ledger.shadow_decisions("b2", now_us=NOW)
    assert found == [(shadow(), None), (shadow("t2"), None)]
    assert ledger.shadow_decisions("b3", now_us=NOW) == []
    assert ledger.shadow_decisions("b2", now_us=NOW, since_us=NOW + 1) == []


def test_a_decision_is_logged_once_for_a_pair_of_versions(ledger: Ledger) -> None:
    ledger.append_shadow([shadow()], RUN)
    later = replace(shadow(), served_arm=85)
    assert ledger.append_shadow([later, shadow(challenger="b3")], RUN) == 1
    assert ledger.shadow_decisions("b2", now_us=NOW) == [(shadow(), None)]


def test_a_period_that_is_over_tells_its_first_outcome(ledger: Ledger) -> None:
    ledger.append_shadow([shadow("up"), shadow("gone"), shadow("late"), shadow("same")], RUN)
    ledger.import_subscriptions(
        [
            outcome("up", SubscriptionKind.UPGRADED, NOW + DAY_US),
            outcome("up", SubscriptionKind.CHURNED, NOW + 2 * DAY_US),
            outcome("gone", SubscriptionKind.CHURNED, NOW + 7 * DAY_US),
            outcome("late", SubscriptionKind.CHURNED, NOW + 7 * DAY_US + 1),
            outcome("same", SubscriptionKind.RENEWED, NOW + DAY_US),
        ]
    )
    over = ledger.shadow_decisions("b2", now_us=NOW + 7 * DAY_US)
    assert {each.tenant_id: became for each, became in over} == {
        "up": "upgraded", "gone": "churned", "late": "", "same": "",
    }  # fmt: skip
    running = ledger.shadow_decisions("b2", now_us=NOW + 7 * DAY_US - 1)
    assert {became for _, became in running} == {None}


def test_costs_add_up_for_each_challenger(ledger: Ledger) -> None:
    ledger.append_shadow([], RUN)
    ledger.append_shadow([], replace(RUN, tenants=8, duration_ms=7.0, scoring_ms=4.0))
    ledger.append_shadow([], replace(RUN, challenger_version="b3"))
    cost = ledger.shadow_cost("b2")
    assert (cost.tenants, cost.duration_ms, cost.scoring_ms) == (10, 10.0, 5.0)
    assert ledger.shadow_challengers() == ["b3", "b2"]
