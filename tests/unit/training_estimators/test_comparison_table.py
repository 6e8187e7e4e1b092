"""What `flyball train --compare` prints."""

from __future__ import annotations

import json

import pytest

from commands.comparison_table import compared, comparison_json, print_comparison
from training.rehearsal import World, rehearse


def test_every_estimator_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    world = World(tenants=500, weeks=10, base=(0.2, 0.01, 0.1), upgrade_effect=0.4)
    rows = compared(rehearse(world), 7)
    print_comparison(rows)
    printed = capsys.readouterr().out
    for name in ("R-learner on dose", "segment-shrunk", "interactions", "trees", "doubly robust"):
        assert name in printed
    assert len(json.loads(json.dumps(comparison_json(rows)))) == 5


def test_without_draws_nothing_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    rows = compared(rehearse(World(tenants=40, weeks=6, drawn=False)), 7)
    print_comparison(rows)
    assert "insufficient evidence" in capsys.readouterr().out
