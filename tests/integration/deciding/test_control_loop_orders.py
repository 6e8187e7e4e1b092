"""What people order, by override or kill switch, the control loop serves and writes down."""

from __future__ import annotations

from typing import Any

from flyball.home import Home
from flyball.instant import DAY_US, SECOND_US
from flyball.override import OverrideKind
from ledger.decision_change import ChangeCause
from ledger.sqlite_ledger import SqliteLedger
from serving.control_loop import ControlLoop
from serving.snapshot.reader import SnapshotReader
from tests.integration.deciding.looping import ALL_TIGHT, Clock, served, tight


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
