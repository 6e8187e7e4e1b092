"""Decisions are logged once; what moves them afterwards is logged beside them."""

from __future__ import annotations

from dataclasses import replace

from flyball.decision import Mode
from flyball.instant import DAY_US
from ledger.decision_change import ChangeCause, DecisionChange, DecisionRun
from ledger.store import Ledger
from tests.contract.ledger_store.records import NOW, decision

WEEK_US = 7 * DAY_US


def moved(arm: int, at: int, *, cause: ChangeCause = ChangeCause.SAFETY) -> DecisionChange:
    of = decision()
    return DecisionChange(
        decision_id=of.decision_id,
        tenant_id=of.tenant_id,
        at_us=at,
        served_arm=arm,
        cause=cause,
        author="flyball",
        reasons=("spike",),
    )


def test_a_decision_comes_back_as_it_was_logged(ledger: Ledger) -> None:
    given = decision()
    assert ledger.append_decisions([given]) == 1
    assert ledger.decision(given.decision_id) == given
    assert ledger.decision("d_none") is None


def test_a_logged_decision_is_never_changed(ledger: Ledger) -> None:
    given = decision()
    ledger.append_decisions([given])
    assert ledger.append_decisions([replace(given, arm=115, churn_probability=0.5)]) == 0
    assert ledger.decision(given.decision_id) == given


def test_the_current_decision_is_the_latest_that_began(ledger: Ledger) -> None:
    first, second = decision(), decision(start=NOW + WEEK_US, arm=100)
    ledger.append_decisions([second, first, decision("t2")])
    assert ledger.current_decisions(NOW + 1)["t1"] == first
    assert ledger.current_decisions(NOW + WEEK_US)["t1"] == second
    assert set(ledger.current_decisions(NOW, ["t2"])) == {"t2"}
    assert ledger.current_decisions(NOW - 1) == {}
    assert set(ledger.current_decisions(NOW + WEEK_US, since_us=NOW + 1)) == {"t1"}


def test_a_decision_made_later_is_not_seen_earlier(ledger: Ledger) -> None:
    ledger.append_decisions([decision(start=NOW - WEEK_US)])
    ledger.append_decisions([replace(decision(), decided_us=NOW + 10)])
    assert ledger.current_decisions(NOW + 5)["t1"].period_start_us == NOW - WEEK_US
    assert ledger.current_decisions(NOW + 10)["t1"].period_start_us == NOW


def test_what_if_and_replay_do_not_count_as_live(ledger: Ledger) -> None:
    ledger.append_decisions([decision(mode=Mode.WHAT_IF), decision(mode=Mode.REPLAY)])
    assert ledger.current_decisions(NOW) == {}
    assert set(ledger.current_decisions(NOW, mode=Mode.REPLAY)) == {"t1"}
    assert ledger.decision_counts() == {"what_if": 1, "replay": 1}


def test_a_move_changes_the_served_arm_and_keeps_the_assignment(ledger: Ledger) -> None:
    ledger.append_decisions([decision()])
    ledger.change_decisions([moved(100, NOW + 10)])
    ledger.change_decisions([moved(115, NOW + 20, cause=ChangeCause.OVERRIDE)])
    for at, served in ((NOW + 9, 85), (NOW + 10, 100), (NOW + 20, 115)):
        found = ledger.current_decisions(at)["t1"]
        assert (found.arm, found.served_arm) == (85, served)
        assert ledger.decisions_named([found.decision_id, "d_none"], as_of_us=at) == [found]
    kept = ledger.decision_changes(decision().decision_id)
    assert [change.cause for change in kept] == [ChangeCause.SAFETY, ChangeCause.OVERRIDE]
    assert kept[0] == moved(100, NOW + 10)


def test_importing_decisions_twice_counts_them_once(ledger: Ledger) -> None:
    history = [decision(f"t{i}") for i in range(3)]
    assert ledger.import_decisions(history).accepted == 3
    again = ledger.import_decisions([*history, history[0], replace(history[1], arm=100)])
    assert (again.accepted, again.duplicates) == (0, 4)
    assert [(r.index, r.code) for r in again.conflicts] == [(4, "conflict")]
    assert ledger.decision(history[1].decision_id) == history[1]


def test_a_conflict_within_one_import_is_found(ledger: Ledger) -> None:
    report = ledger.import_decisions([decision(), replace(decision(), propensity=0.5)])
    assert (report.accepted, len(report.conflicts)) == (1, 1)


def test_history_is_newest_first(ledger: Ledger) -> None:
    ledger.append_decisions([decision(start=NOW + i * WEEK_US) for i in range(4)])
    found = ledger.decision_history("t1", limit=2)
    assert [d.period_start_us for d in found] == [NOW + 3 * WEEK_US, NOW + 2 * WEEK_US]


def test_the_last_run_of_each_mode_is_kept(ledger: Ledger) -> None:
    assert ledger.last_run() is None
    runs = [
        DecisionRun(
            as_of_us=NOW, finished_us=NOW + n, mode=mode, tenants=n, duration_ms=1.5,
            policy="static", bundle_version="v1",
        )
        for n, mode in enumerate((Mode.LIVE, Mode.LIVE, Mode.REPLAY))
    ]  # fmt: skip
    for run in runs:
        ledger.record_run(run)
    assert ledger.last_run() == runs[1]
    assert ledger.last_run(Mode.REPLAY) == runs[2]
