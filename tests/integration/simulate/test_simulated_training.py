"""What a simulated product learns is judged by the gates of `flyball train`, money included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import commands.training_data
import training.run
from commands.simulated_product import learn
from flyball.home import Home
from flyball.instant import parse_instant
from ledger.sqlite_ledger import open_ledger

AS_OF = parse_instant("2026-03-02T00:00:00Z")


class _Judged(Exception):
    """Raised where the training would begin."""


def test_a_candidate_is_judged_with_the_homes_money_and_gates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.settings.write_text("[gates]\nchurn_cap = 0.5\n", "utf-8")
    with open_ledger(home) as ledger:
        ledger.put_setting("economics", {"margin": 0.6}, author="tests", now_us=AS_OF - 1)
    asked: dict[str, Any] = {}

    def train(*_: object, **named: object) -> None:
        asked.update(named)
        raise _Judged

    monkeypatch.setattr(commands.training_data, "load_dataset", lambda *_: None)
    monkeypatch.setattr(training.run, "train", train)
    with pytest.raises(_Judged):
        learn(home, AS_OF, seed=3)
    assert asked["stakes"].economics.margin == 0.6
    assert asked["settings"].churn_cap == 0.5
    assert asked["seed"] == 3
