"""The control loop: what changed is decided and published, and nothing takes the service down."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyball.decision import Mode
from flyball.errors import StorageError
from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from flyball.override import OverrideKind
from flyball.policies.registry import policy_named
from ledger.decision_change import ChangeCause
from ledger.records import Subscription, SubscriptionKind
from ledger.sqlite_ledger import SqliteLedger
from models.signature import load_public_key
from serving.clock import wall_us
from serving.control_loop import ControlLoop
from serving.deciding import current_bundle, decide_pass
from serving.settings import Settings, settings_from
from serving.snapshot.reader import SnapshotReader


class Clock:
    """Stands where the test puts it."""

    def __init__(self, now_us: int) -> None:
        self.at_us = now_us

    def now_us(self) -> int:
        return self.at_us


ALL_TIGHT = settings_from(
    {
        "policy": {"name": "constant", "arm": 85},
        "guardrails": {"friction_share": 1.0},
        "decisions": {"tick_ms": 10},
    }
)


@pytest.fixture
def clock(kit: Any) -> Clock:
    return Clock(kit.now_us)


@pytest.fixture
def loop(trained: Home, clock: Clock) -> Iterator[ControlLoop]:
    with ControlLoop(trained, ALL_TIGHT, clock) as made:
        yield made


@pytest.fixture
def reader(trained: Home) -> SnapshotReader:
    return SnapshotReader(trained.snapshot, load_public_key(trained.verify_key), kill=trained.kill)


def served(reader: SnapshotReader, name: str) -> dict[str, Any]:
    reader.refresh()
    assert reader.error is None
    answer: dict[str, Any] = json.loads(reader.answer(name, wall_us()))
    return answer


def tight(reader: SnapshotReader, kit: Any) -> str:
    """A tenant that is served less than its base limit."""
    found: str = next(t for t in kit.tenants if served(reader, t)["dynamicMultiplier"] == 0.85)
    return found


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


def test_a_new_account_and_its_alias_appear(
    loop: ControlLoop, reader: SnapshotReader, kit: Any, clock: Clock, trained: Home
) -> None:
    loop.tick()
    clock.at_us += SECOND_US
    at = {"created_us": clock.at_us, "effective_us": clock.at_us, "known_us": clock.at_us}
    with SqliteLedger(trained.ledger) as ledger:
        ledger.put_account(kit.account("newcomer", **at))
    assert loop.tick() == 1
    answer = served(reader, "key-newcomer")
    assert answer["tenantId"] == "newcomer"
    # Nobody is tightened in the first days.
    assert answer["dynamicMultiplier"] == 1.0
    with SqliteLedger(trained.ledger) as ledger:
        moved = at | {"effective_us": clock.at_us + 1, "known_us": clock.at_us + 1}
        ledger.put_account(kit.account("newcomer", aliases=("other-key",), **moved))
    clock.at_us += SECOND_US
    loop.tick()
    assert served(reader, "other-key")["tenantId"] == "newcomer"
    assert served(reader, "key-newcomer")["source"] == "unknown_tenant"


def test_a_tenant_that_left_is_unknown_again(
    loop: ControlLoop, reader: SnapshotReader, clock: Clock, trained: Home
) -> None:
    loop.tick()
    left = Subscription(
        subscription_id="s1",
        tenant_id="ent_05",
        time_us=clock.at_us,
        known_us=clock.at_us,
        kind=SubscriptionKind.CHURNED,
    )
    with SqliteLedger(trained.ledger) as ledger:
        ledger.import_subscriptions([left])
    clock.at_us += SECOND_US
    loop.tick()
    loop.tick()
    assert served(reader, "ent_05")["source"] == "unknown_tenant"
    assert served(reader, "ent_06")["source"] == "fresh"


def test_an_override_is_served_at_the_next_tick(
    loop: ControlLoop, reader: SnapshotReader, kit: Any, clock: Clock, trained: Home
) -> None:
    loop.tick()
    tenant = tight(reader, kit)
    with SqliteLedger(trained.ledger) as ledger:
        ledger.add_override(
            tenant,
            OverrideKind.FORCE_NEUTRAL,
            author="kim",
            reason="promised",
            now_us=clock.at_us,
            expires_us=clock.at_us + DAY_US,
        )
    clock.at_us += SECOND_US
    assert loop.tick() == 1
    assert served(reader, tenant)["dynamicMultiplier"] == 1.0
    assert served(reader, tenant)["reasons"][0] == "override_force"


class Meanwhile(Clock):
    """Somebody ends an override just after "now" was read."""

    ends: str | None = None
    home: Home

    def now_us(self) -> int:
        read_us = self.at_us
        if self.ends is not None:
            override, self.ends = self.ends, None
            with SqliteLedger(self.home.ledger) as ledger:
                ledger.end_override(override, author="kim", now_us=read_us + SECOND_US)
            self.at_us += 2 * SECOND_US
        return read_us


def test_what_is_said_while_a_tick_reads_the_clock_is_heard_by_the_next(
    reader: SnapshotReader, kit: Any, trained: Home
) -> None:
    clock = Meanwhile(kit.now_us)
    clock.home = trained
    with ControlLoop(trained, ALL_TIGHT, clock) as loop, SqliteLedger(trained.ledger) as ledger:
        loop.tick()
        tenant = tight(reader, kit)
        override = ledger.add_override(
            tenant, OverrideKind.FORCE_NEUTRAL, author="kim", reason="promised",
            now_us=clock.at_us, expires_us=clock.at_us + DAY_US,
        )  # fmt: skip
        loop.tick()
        assert "override_force" in served(reader, tenant)["reasons"]
        clock.ends = override.override_id
        loop.tick()
        loop.tick()
        answer = served(reader, tenant)
        assert answer["reasons"][0] == "override_ended"
        assert "override_force" not in answer["reasons"]
        changes = ledger.decision_changes(answer["decisionId"])
        assert [c.reasons[0] for c in changes] == ["override_force", "override_ended"]
        # The tighter arm that was drawn comes back with the next period at the earliest.
        assert answer["dynamicMultiplier"] == 1.0


def test_the_kill_switch_reaches_decisions_and_their_log(
    loop: ControlLoop, reader: SnapshotReader, kit: Any, clock: Clock, trained: Home
) -> None:
    loop.tick()
    tenant = tight(reader, kit)
    trained.kill.parent.mkdir(exist_ok=True)
    trained.kill.write_text("{}")
    clock.at_us += SECOND_US
    assert loop.tick() == len(kit.tenants)
    with SqliteLedger(trained.ledger) as ledger:
        decision = ledger.current_decisions(clock.at_us)[tenant]
        assert decision.served_arm == 100
        assert ledger.decision_changes(decision.decision_id)[-1].cause is ChangeCause.KILL
    trained.kill.unlink()
    clock.at_us += SECOND_US
    loop.tick()
    # A move away from 1 waits for the next period.
    answer = served(reader, tenant)
    assert answer["dynamicMultiplier"] == 1.0
    assert answer["reasons"][0] == "kill_switch_ended"
    with SqliteLedger(trained.ledger) as ledger:
        # The log says so too, once: it is what the console reads, and what a restart begins with.
        changes = ledger.decision_changes(answer["decisionId"])
        assert [(c.cause, c.reasons[0]) for c in changes] == [
            (ChangeCause.KILL, "kill_switch"),
            (ChangeCause.KILL, "kill_switch_ended"),
        ]
        clock.at_us += SECOND_US
        loop.tick()
        assert ledger.decision_changes(answer["decisionId"]) == changes


def test_a_new_period_draws_anew(
    loop: ControlLoop, reader: SnapshotReader, kit: Any, clock: Clock
) -> None:
    loop.tick()
    before = {name: served(reader, name)["decisionId"] for name in kit.tenants}
    clock.at_us = kit.monday_us + 7 * DAY_US + SECOND_US
    assert loop.tick() == len(kit.tenants)
    for name, decision_id in before.items():
        assert served(reader, name)["decisionId"] != decision_id


def test_a_bad_bundle_keeps_the_one_in_use(
    loop: ControlLoop, reader: SnapshotReader, trained: Home, clock: Clock
) -> None:
    loop.tick()
    shutil.copytree(trained.bundles / "b1", trained.bundles / "b2")
    (trained.bundles / "b2" / "card.md").write_text("altered")
    pointer = json.loads((trained.bundles / "current.json").read_text())
    (trained.bundles / "current.json").write_text(json.dumps(pointer | {"version": "b2"}))
    clock.at_us += SECOND_US
    assert loop.tick() == 0
    assert served(reader, "ent_01")["modelVersion"] == "b1"


def test_an_older_bundle_is_refused_unless_going_back_was_on_purpose(
    trained: Home, loop: ControlLoop, clock: Clock, kit: Any, older_bundle: Path
) -> None:
    loop.tick()
    pointer = json.loads((trained.bundles / "current.json").read_text())
    older = json.loads((older_bundle / "manifest.json").read_text())["created_us"]
    shutil.copytree(older_bundle, trained.bundles / "b0")
    for rollback, used in ((False, "b1"), (True, "b0")):
        changed = pointer | {"version": "b0", "created_us": older, "rollback": rollback}
        (trained.bundles / "current.json.new").write_text(json.dumps(changed))
        (trained.bundles / "current.json.new").replace(trained.bundles / "current.json")
        loop.tick()
        with SqliteLedger(trained.ledger) as ledger:
            run = ledger.last_run(Mode.LIVE)
        assert run is not None
        assert run.bundle_version == used


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


def test_without_champion_or_experiment_everybody_keeps_the_plan(
    home: Home, clock: Clock, kit: Any
) -> None:
    with ControlLoop(home, ALL_TIGHT, clock) as loop:
        loop.tick()
    reader = SnapshotReader(home.snapshot, load_public_key(home.verify_key))
    for name in kit.tenants:
        assert served(reader, name)["dynamicMultiplier"] == 1.0
        assert served(reader, name)["policy"] == "static"


def test_an_empty_home_is_served_too(tmp_path: Path, clock: Clock) -> None:
    home = Home(tmp_path / "empty")
    home.root.mkdir()
    with ControlLoop(home, Settings(), clock) as loop:
        assert loop.tick() == 0
    reader = SnapshotReader(home.snapshot, load_public_key(home.verify_key))
    assert served(reader, "anybody")["source"] == "unknown_tenant"


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
