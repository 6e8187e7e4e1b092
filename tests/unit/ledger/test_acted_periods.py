"""How probable it was to be kept at 100 is the same whichever arm a tenant then had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flyball.arm import NEUTRAL
from flyball.decision import Assignment
from flyball.experiment import marginal_propensity
from flyball.instant import DAY_US
from ledger.acted_periods import acted_periods
from ledger.sqlite_ledger import SqliteLedger
from tests.contract.ledger_store.records import NOW, account, decision, plan

HOLDOUT = 0.1
OFFERED = {70: 0.05, 85: 0.85, 100: 0.1}


def test_the_chance_of_100_counts_draw_and_holdout_together(tmp_path: Path) -> None:
    drawn = [
        replace(
            decision(f"t{arm}", start=NOW, arm=arm),
            assignment=Assignment.DRAWN,
            proposed_arm=85,
            offered=OFFERED,
            propensity=OFFERED[arm],
            marginal_propensity=marginal_propensity(arm, OFFERED[arm], HOLDOUT),
        )
        for arm in OFFERED
    ]
    kept = replace(
        decision("kept", start=NOW, arm=NEUTRAL),
        assignment=Assignment.HOLDOUT,
        proposed_arm=85,
        offered={NEUTRAL: 1.0},
        propensity=1.0,
        marginal_propensity=marginal_propensity(NEUTRAL, OFFERED[NEUTRAL], HOLDOUT),
    )
    decisions = [*drawn, kept]
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        ledger.import_plans([plan("free")], now_us=NOW)
        ledger.import_accounts([account(each.tenant_id) for each in decisions], now_us=NOW)
        ledger.append_decisions(decisions)
        found = acted_periods(ledger, since_us=NOW - DAY_US, now_us=NOW + 8 * DAY_US)
    # A tenth is held out; of the others a tenth is drawn to 100.
    assert {each.tenant_id: each.neutral_marginal for each in found} == pytest.approx(
        dict.fromkeys(("t70", "t85", "t100", "kept"), 0.19)
    )
