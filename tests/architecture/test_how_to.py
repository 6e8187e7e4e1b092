"""The code that a how-to tells people to write works as it stands there."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flyball.checks import check_policy
from flyball.meter import Aggregation, meters_from
from flyball.plan import plan_from

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"


def blocks(page: str, language: str) -> list[str]:
    text = (HOW_TO / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def test_the_meter_and_the_plan_of_the_how_to_are_accepted() -> None:
    declared, plan = (json.loads(block) for block in blocks("add-a-meter.md", "json"))
    meter = meters_from(declared)["pages.rendered"]
    assert (meter.aggregation, meter.resolution_seconds) == (Aggregation.SUM, 3600)
    assert plan_from(plan).limits["pages.rendered"].contract == 40_000


def test_the_policy_of_the_how_to_keeps_every_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("rescue")
    monkeypatch.setitem(sys.modules, "rescue", module)  # dataclasses look their module up
    exec(blocks("add-a-policy.md", "python")[0], vars(module))
    check_policy(module.Rescue())
    check_policy(module.Rescue(churn_high=0.0, arm=130))


@pytest.mark.train
def test_the_gate_of_the_how_to_refuses_passes_and_abstains() -> None:
    pytest.importorskip("sklearn", reason="the training extra is not installed")
    from training import gates
    from training.evaluation import Judged

    names: dict[str, Any] = dict(vars(gates))
    exec(blocks("add-a-gate.md", "python")[0], names)
    limits = SimpleNamespace(min_events=10, churn_total=0.5)

    def verdict(predicted: float, events: int) -> str:
        happened = np.arange(1_000) < events
        judged = Judged(
            outcome="churn",
            probability=np.full(1_000, predicted),
            base=np.full(1_000, 0.05),
            happened=happened,
            cluster=np.arange(1_000),
        )
        return str(names["_churn_total"]([judged], limits).verdict)

    assert verdict(0.05, 50) == "passed"
    assert verdict(0.15, 50) == "failed"
    assert verdict(0.15, 5) == "not_applicable"
