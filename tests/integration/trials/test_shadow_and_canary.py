"""A challenger beside the champion: compared on every decision, deciding for whom it may."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flyball.canary import CanarySettings
from flyball.decision import Decision
from flyball.home import Home
from flyball.instant import DAY_US, SECOND_US
from ledger.sqlite_ledger import SqliteLedger
from models.current import publish, unpublish
from models.signature import load_public_key
from serving.control_loop import ControlLoop
from serving.settings import load_settings
from serving.shadow import sayings
from tests.integration.deciding.conftest import NOW_US

SETTINGS = """
[policy]
name = "value"

[decisions]
tick_ms = 10

[guardrails]
friction_share = 1.0
harm_budget = "none"
"""


class Clock:
    at_us = NOW_US

    def now_us(self) -> int:
        return self.at_us


class Trial:
    """A home that a loop can be run on, tick by tick."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.clock = Clock()
        home.settings.write_text(SETTINGS)

    def place(self, directory: Path, where: Path) -> None:
        key = load_public_key(self.home.verify_key)
        publish(directory, where, key, published_us=NOW_US, rollback=True)

    def share(self, share: float, salt: str = "canary") -> None:
        canary = f'\n[canary]\nshare = {share}\nsalt = "{salt}"\n'
        self.home.settings.write_text(SETTINGS + canary)

    @contextmanager
    def loop(self) -> Iterator[ControlLoop]:
        settings = load_settings(self.home.settings)
        with ControlLoop(self.home, settings, self.clock) as loop:
            yield loop

    def run(self, ticks: int = 4) -> None:
        with self.loop() as loop:
            for _ in range(ticks):
                loop.tick()
                self.clock.at_us += SECOND_US

    def decisions(self) -> dict[str, Decision]:
        with SqliteLedger(self.home.ledger) as ledger:
            return ledger.current_decisions(self.clock.at_us)

    def models(self) -> dict[str, str]:
        return {name: each.model_version for name, each in self.decisions().items()}


@pytest.fixture
def trial(home: Home, bundles: dict[str, Path]) -> Trial:
    made = Trial(home)
    made.place(bundles["b1"], home.bundles)
    return made


def plain(decisions: dict[str, Decision]) -> dict[str, Decision]:
    return {name: replace(each, decided_us=0) for name, each in decisions.items()}


def served(home: Home) -> bytes:
    """What workers read, apart from when it was made."""
    from serving.snapshot.reader import SnapshotReader

    reader = SnapshotReader(home.snapshot, load_public_key(home.verify_key), kill=home.kill)
    reader.refresh()
    assert reader.error is None
    return b"".join(reader.answer(f"ent_{n:02d}", NOW_US) for n in range(12))


def test_a_shadow_alters_no_decision_and_no_answer(
    trial: Trial, bundles: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(trial.home.root, tmp_path / "alone")
    alone = Trial(Home(tmp_path / "alone"))
    trial.place(bundles["b2"], trial.home.challenger)
    trial.run()
    alone.run()
    assert plain(trial.decisions()) == plain(alone.decisions())
    assert served(trial.home) == served(alone.home)
    with SqliteLedger(trial.home.ledger) as ledger:
        assert len(ledger.shadow_decisions("b2", now_us=NOW_US)) == 12
    with SqliteLedger(alone.home.ledger) as ledger:
        assert ledger.shadow_challengers() == []


def test_a_challenger_that_breaks_costs_no_decision(
    trial: Trial, bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no such operator")

    trial.place(bundles["b2"], trial.home.challenger)
    monkeypatch.setattr("serving.shadow.shadow_queue.shadowed", broken)
    trial.run()
    assert len(trial.decisions()) == 12
    assert sayings.shadowed is not broken


def test_both_models_are_asked_once_about_every_decision(
    trial: Trial, bundles: dict[str, Path]
) -> None:
    trial.place(bundles["b2"], trial.home.challenger)
    trial.run()
    trial.run()
    decisions = trial.decisions()
    with SqliteLedger(trial.home.ledger) as ledger:
        rows = ledger.shadow_decisions("b2", now_us=NOW_US)
        cost = ledger.shadow_cost("b2")
    assert {each.decision_id for each, _ in rows} == {d.decision_id for d in decisions.values()}
    for each, became in rows:
        assert became is None
        decision = decisions[each.tenant_id]
        assert each.served_arm == decision.served_arm
        assert (each.champion.version, each.champion.arm) == ("b1", decision.proposed_arm)
        assert (each.challenger.arm, each.challenger.reason) == (100, "no_arm_pays")
        assert each.champion.upgrade is not None
        assert each.challenger.upgrade is not None
        assert each.challenger.upgrade > each.champion.upgrade - 0.02
        assert each.champion.churn != each.challenger.churn
        assert each.challenger.advantage_minor == 0.0
    acting = [each.champion for each, _ in rows if each.champion.arm == 85]
    assert acting
    assert all(each.advantage_minor and each.advantage_minor > 0 for each in acting)
    assert cost.tenants >= 12
    assert cost.duration_ms > cost.scoring_ms > 0


def test_a_challenger_that_comes_later_is_asked_about_everyone_at_once(
    trial: Trial, bundles: dict[str, Path]
) -> None:
    with trial.loop() as loop:
        loop.tick()
        loop.tick()
        before = plain(trial.decisions())
        trial.place(bundles["b2"], trial.home.challenger)
        for _ in range(3):
            trial.clock.at_us += SECOND_US
            loop.tick()
        with SqliteLedger(trial.home.ledger) as ledger:
            assert len(ledger.shadow_decisions("b2", now_us=NOW_US)) == 12
        assert plain(trial.decisions()) == before


def test_the_canary_decides_for_its_share_with_its_own_model(
    trial: Trial, bundles: dict[str, Path]
) -> None:
    trial.place(bundles["b2"], trial.home.challenger)
    trial.share(0.5)
    trial.run()
    chosen = CanarySettings(share=0.5)
    decisions = trial.decisions()
    inside = {name for name in decisions if chosen.holds(name)}
    assert 0 < len(inside) < 12
    for name, each in decisions.items():
        assert each.model_version == ("b2" if name in inside else "b1")
        assert each.policy_version == "1:0.5"
        if name in inside:
            assert each.proposed_arm == 100
        assert each.offered[each.arm] == each.propensity
    assert 85 in {decisions[name].proposed_arm for name in decisions.keys() - inside}
    with SqliteLedger(trial.home.ledger) as ledger:
        rows = {each.tenant_id: each for each, _ in ledger.shadow_decisions("b2", now_us=NOW_US)}
    # The champion is asked about the canary's tenants too.
    assert 85 in {rows[name].champion.arm for name in inside}
    assert {each.challenger.arm for each in rows.values()} == {100}


def test_going_back_to_0_takes_effect_at_the_next_decision_without_a_restart(
    trial: Trial, bundles: dict[str, Path]
) -> None:
    trial.place(bundles["b2"], trial.home.challenger)
    trial.share(0.5)
    with trial.loop() as loop:
        loop.tick()
        before = trial.models()
        assert set(before.values()) == {"b1", "b2"}
        trial.share(0.0)
        loop.tick()
        trial.clock.at_us += 7 * DAY_US
        loop.tick()
        assert set(trial.models().values()) == {"b1"}
    # What was decided before keeps the name of the model that decided it.
    with SqliteLedger(trial.home.ledger) as ledger:
        for name, version in before.items():
            assert ledger.decision_history(name)[-1].model_version == version


@pytest.mark.parametrize("spoil", ["settings", "pointer", "withdrawn"])
def test_what_cannot_be_trusted_ends_the_canary(
    trial: Trial, bundles: dict[str, Path], spoil: str
) -> None:
    trial.place(bundles["b2"], trial.home.challenger)
    trial.share(0.5)
    if spoil == "withdrawn":
        with SqliteLedger(trial.home.ledger) as ledger:
            ledger.append_audit(
                now_us=NOW_US, author="flyball watch", action="model.withdraw", target="b2"
            )
    with trial.loop() as loop:
        if spoil == "settings":
            loop.tick()
            trial.home.settings.write_text("[canary")
        elif spoil == "pointer":
            loop.tick()
            unpublish(trial.home.challenger)
        loop.tick()
        trial.clock.at_us += 7 * DAY_US
        loop.tick()
    assert set(trial.models().values()) == {"b1"}


def test_a_challenger_that_failed_its_gates_decides_for_nobody_and_people_are_told(
    trial: Trial, failed: Path
) -> None:
    trial.place(failed, trial.home.challenger)
    trial.share(0.5)
    trial.run()
    assert set(trial.models().values()) == {"b1"}
    with SqliteLedger(trial.home.ledger) as ledger:
        (notice,) = ledger.notices()
        assert len(ledger.shadow_decisions("b3", now_us=NOW_US)) == 12
    assert notice.kind == "canary_refused"
    assert "brier" in notice.message
