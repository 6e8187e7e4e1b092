"""The control loop: what changed is decided and published, and nothing takes the service down."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from flyball.decision import Mode
from flyball.errors import StorageError
from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from flyball.policies.registry import policy_named
from ledger.decision_change import ChangeCause
from ledger.sqlite_ledger import SqliteLedger
from serving.control_loop import ControlLoop
from serving.deciding import current_bundle, decide_pass
from serving.settings import Settings
from serving.snapshot.reader import SnapshotReader
from tests.integration.deciding.looping import ALL_TIGHT, Clock, served, tight


def test_the_first_tick_publishes_everybody_and_quiet_ticks_nothing(
    loop: ControlLoop, reader: SnapshotReader, kit: Any, trained: Home
) -> None:
    assert loop.tick() == len(kit.tenants)
    assert served(reader, "key-ent_03")["tenantId"] == "ent_03"
    assert served(reader, "ent_03")["source"] == "fresh"
    assert served(reader, "ent_03")["policy"] == "constant"
    version = reader.version
    assert loop.tick() == 0
    assert not reader.refresh()
    assert reader.version == version
    with SqliteLedger(trained.ledger) as ledger:
        assert ledger.decision_counts() == {"live": len(kit.tenants)}
        run = ledger.last_run(Mode.LIVE)
        assert run is not None
        assert run.bundle_version == "b1"


def test_a_spike_ends_friction_at_the_next_tick(
    loop: ControlLoop, reader: SnapshotReader, kit: Any, clock: Clock, trained: Home
) -> None:
    loop.tick()
    tenant = tight(reader, kit)
    others = {name: served(reader, name) for name in kit.tenants if name != tenant}
    clock.at_us += SECOND_US
    kit.spike(trained, tenant, clock.at_us)
    assert loop.tick() == 1
    after = served(reader, tenant)
    assert after["dynamicMultiplier"] == 1.0
    assert after["reasons"][0] == "spike"
    for name, before in others.items():
        assert served(reader, name) | {"expiresAt": ""} == before | {"expiresAt": ""}
    with SqliteLedger(trained.ledger) as ledger:
        changes = ledger.decision_changes(after["decisionId"])
        assert [(c.served_arm, c.cause) for c in changes] == [(100, ChangeCause.SAFETY)]
        logged = ledger.decision(after["decisionId"])
        assert logged is not None
        # The assignment stays what was drawn: intention to treat.
        assert logged.arm == 85


def test_ticks_and_a_full_pass_agree(
    loop: ControlLoop, kit: Any, clock: Clock, trained: Home, reader: SnapshotReader
) -> None:
    loop.tick()
    for step, tenant in enumerate(kit.tenants[:4]):
        clock.at_us += SECOND_US
        kit.spike(trained, tenant, clock.at_us, 300.0 * step)
        loop.tick()
    # A fresh pass one hour later sees the same closed hours as the loop's open one.
    later_us = (clock.at_us // HOUR_US + 1) * HOUR_US
    with SqliteLedger(trained.ledger) as ledger:
        done = decide_pass(
            trained,
            ledger,
            ALL_TIGHT,
            as_of_us=later_us,
            mode=Mode.LIVE,
            bundle=current_bundle(trained, ALL_TIGHT),
        )
    for decision in done.decisions:
        answer = served(reader, decision.tenant_id)
        assert answer["decisionId"] == decision.decision_id
        assert answer["dynamicMultiplier"] == decision.served_arm / 100
        if decision.tenant_id in kit.tenants[:4]:
            assert decision.churn_probability is not None
            assert answer["churnProbability"] == pytest.approx(
                decision.churn_probability, abs=1.1e-5
            )


def test_a_new_period_draws_anew(
    loop: ControlLoop, reader: SnapshotReader, kit: Any, clock: Clock
) -> None:
    loop.tick()
    before = {name: served(reader, name)["decisionId"] for name in kit.tenants}
    clock.at_us = kit.monday_us + 7 * DAY_US + SECOND_US
    assert loop.tick() == len(kit.tenants)
    for name, decision_id in before.items():
        assert served(reader, name)["decisionId"] != decision_id


def test_a_tenant_moves_on_with_time_alone(loop: ControlLoop, clock: Clock, kit: Any) -> None:
    loop.tick()
    clock.at_us += 29 * MINUTE_US
    assert loop.tick() == 0
    clock.at_us += MINUTE_US
    seen = 0
    for _ in kit.tenants:
        clock.at_us += 10 * SECOND_US
        seen += loop.tick()
    assert seen == len(kit.tenants)


def test_history_that_comes_in_late_counts(
    loop: ControlLoop, clock: Clock, kit: Any, trained: Home
) -> None:
    loop.tick()
    # Arrived yesterday, but committed only now: closed days must be read again.
    kit.spike(trained, "ent_02", clock.at_us - 2 * DAY_US)
    clock.at_us += SECOND_US
    assert loop.tick() == len(kit.tenants)


def test_a_failing_store_is_survived(
    trained: Home, clock: Clock, reader: SnapshotReader, monkeypatch: pytest.MonkeyPatch, kit: Any
) -> None:
    stopping = threading.Event()
    calls = 0
    monkeypatch.setattr("serving.control_loop._FIRST_PAUSE_S", 0.01)
    with ControlLoop(trained, ALL_TIGHT, clock) as loop:
        honest = loop._ledger.changes_since

        def failing(cursor: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls in (2, 3):
                raise StorageError("The disk went away.")
            if calls > 6:
                stopping.set()
            return honest(cursor)

        monkeypatch.setattr(loop._ledger, "changes_since", failing)
        loop.run(stopping)
    assert served(reader, "ent_01")["source"] == "fresh"
    with SqliteLedger(trained.ledger) as ledger:
        assert ledger.decision_counts() == {"live": len(kit.tenants)}


def test_every_decision_is_within_its_guardrails(trained: Home, kit: Any) -> None:
    with SqliteLedger(trained.ledger) as ledger:
        for policy in ("constant", "relax", "risk_rule", "value", "static"):
            params = {"arm": 70} if policy == "constant" else {}
            done = decide_pass(
                trained,
                ledger,
                Settings(),
                as_of_us=kit.monday_us,
                mode=Mode.WHAT_IF,
                bundle=current_bundle(trained, Settings()),
                policy=policy_named(policy, **params),
            )
            tightened = [d for d in done.decisions if d.enforce_friction]
            assert len(tightened) <= len(kit.tenants) // 2
            for decision in done.decisions:
                assert decision.effective_limit is not None
                assert decision.contract_limit is not None
                assert decision.effective_limit >= decision.contract_limit
                assert abs(decision.arm - 100) <= 15
