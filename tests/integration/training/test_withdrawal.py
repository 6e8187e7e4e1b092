"""A champion that does harm is taken back by itself: decisions at 1, alias moved, everyone told."""

from __future__ import annotations

import json
import logging

import pytest

from commands.main import run
from flyball.errors import Refused
from flyball.home import Home
from flyball.instant import DAY_US
from ledger.kill import kill_state, release_kill
from ledger.notice import Severity
from ledger.sqlite_ledger import open_ledger
from models.current import read_current
from tests.integration.training.live_weeks import LATER, TENANTS, WEEKS, live_weeks
from training.publisher import publish_champion
from training.registry import CHAMPION, Registry
from training.run import TrainingResult
from training.tracking import store_of
from training.withdrawal import ACTION, AUTHOR, Withdrawal, guard

pytestmark = pytest.mark.train

HASH = "ab" * 8


def test_a_harmful_champion_is_withdrawn_and_cannot_come_back(
    home: Home,
    trained: tuple[Home, TrainingResult, TrainingResult],
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = trained[1], trained[2]
    assert publish_champion(home, HASH).version == second.version
    live_weeks(home, acted_churn=0.15)
    with caplog.at_level(logging.ERROR, logger="flyball.watch"):
        found = guard(home, HASH, now_us=LATER)
    assert isinstance(found, Withdrawal)
    state = kill_state(home)
    assert state is not None
    assert state.author == AUTHOR
    assert found.withdrawn is not None
    assert found.withdrawn.version == second.version
    registry = Registry(store_of(home))
    champion = registry.holder(CHAMPION)
    assert champion is not None
    assert champion.version == first.version
    pointer = read_current(home.bundles)
    assert pointer is not None
    assert pointer.version == champion.bundle
    with pytest.raises(Refused, match="live_harm"):
        registry.promote(second.version, HASH)
    with open_ledger(home) as ledger:
        acts = {entry.action: entry for entry in ledger.audit()}
        (notice,) = ledger.notices()
    assert acts[ACTION].before == second.bundle_version
    assert acts["kill.on"].author == AUTHOR
    assert "harm found" in caplog.text
    assert (notice.kind, notice.subject) == ("model_withdrawn", second.bundle_version)
    assert notice.severity is Severity.CRITICAL
    assert "flyball kill off" in notice.message


def test_the_same_harm_is_answered_once(home: Home) -> None:
    publish_champion(home, HASH)
    live_weeks(home, acted_churn=0.15)
    assert isinstance(guard(home, HASH, now_us=LATER), Withdrawal)
    assert release_kill(home, author="ann", reason="looked into it", now_us=LATER)
    champion = Registry(store_of(home)).holder(CHAMPION)
    again = guard(home, HASH, now_us=LATER + DAY_US)
    assert not isinstance(again, Withdrawal)
    assert kill_state(home) is None
    assert Registry(store_of(home)).holder(CHAMPION) == champion


def test_without_an_earlier_champion_serving_is_left_without_a_bundle(home: Home) -> None:
    registry = Registry(store_of(home))
    publish_champion(home, HASH)
    holder = registry.holder(CHAMPION)
    assert holder is not None
    assert registry.withdraw(holder.version, "harm", HASH) is not None
    first = registry.holder(CHAMPION)
    assert first is not None
    live_weeks(home, acted_churn=0.15)
    found = guard(home, HASH, now_us=LATER)
    assert isinstance(found, Withdrawal)
    assert found.champion is None
    assert read_current(home.bundles) is None


def test_a_harmless_policy_stays(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("features.catalogue.feature_hash", lambda: HASH)
    publish_champion(home, HASH)
    live_weeks(home, acted_churn=0.01)
    before = Registry(store_of(home)).holder(CHAMPION)
    assert run(["--home", str(home.root), "watch", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["harmful"] is False
    assert told["periods"] == TENANTS * WEEKS
    assert kill_state(home) is None
    assert Registry(store_of(home)).holder(CHAMPION) == before
