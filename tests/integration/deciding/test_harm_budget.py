"""The harm budget through the command line: whom models tightened decides how much there is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from commands.main import run
from flyball.home import Home
from flyball.instant import DAY_US, parse_instant
from flyball.outlook import LEAST_DOSE
from ledger.sqlite_ledger import SqliteLedger
from models.current import publish
from models.signature import load_public_key
from tests.integration.deciding.conftest import MONDAY_US, make_bundle

AS_OF = "2026-01-05T00:00:00Z"
#: Predicted for each tenant and week at 0.85.
HARM = 0.001


@pytest.fixture(scope="module")
def harmful(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> Path:
    """A bundle that sells much at 0.85 and predicts a little churn."""
    parent = tmp_path_factory.mktemp("harmful")
    return make_bundle(parent, filled, "h1", MONDAY_US, upgrade_effect=0.05, churn_effect=HARM)


class _Decided:
    """One week's decisions: who may come under friction, and what that is predicted to cause."""

    def __init__(self, home: Home, as_of: str, out: Path) -> None:
        options = ("--as-of", as_of, "--mode", "live", "--out", str(out))
        assert run(["--home", str(home.root), "decide", *options]) == 0
        with SqliteLedger(home.ledger) as ledger:
            made = ledger.current_decisions(parse_instant(as_of))
        self.reasons = {code for each in made.values() for code in each.reasons}
        self.friction = {
            tenant: sum(p for arm, p in each.offered.items() if arm < 100)
            for tenant, each in made.items()
        }
        # An arm that blocks next to nothing has no effect, hence does no harm.
        self.harm = sum(
            HARM * self.friction[tenant]
            for tenant, each in made.items()
            if (each.expected_dose or {}).get(85, 0.0) >= LEAST_DOSE
        )


def test_a_period_takes_no_more_than_its_part_and_who_was_tightened_brings_it(
    home: Home, harmful: Path, tmp_path: Path
) -> None:
    budget, weeks = HARM * 2.0, 4
    home.settings.write_text(f"[guardrails]\nharm_budget = {budget}\nharm_window_weeks = {weeks}\n")
    publish(harmful, home.bundles, load_public_key(home.verify_key), published_us=MONDAY_US)
    with SqliteLedger(home.ledger) as ledger:
        ledger.start_experiment(
            "t", epsilon=0.05, holdout_share=0.0, author="a", reason="r",
            now_us=MONDAY_US - DAY_US,
        )  # fmt: skip
    shutil.copytree(home.root, tmp_path / "other")
    shutil.copytree(home.root, tmp_path / "vendor")
    fresh = _Decided(home, AS_OF, tmp_path / "1.ndjson")
    # Who comes under friction for the first time brings a part of what it would take.
    assert fresh.harm <= budget / weeks * sum(fresh.friction.values()) + 1e-12
    assert "harm_budget_spent" in fresh.reasons
    other = Home(tmp_path / "other")
    earlier = sorted(fresh.friction)[:8]
    _tighten(other, earlier, model_version="m0")
    again = _Decided(other, AS_OF, tmp_path / "2.ndjson")
    new = sum(p for tenant, p in again.friction.items() if tenant not in earlier)
    assert fresh.harm < again.harm <= budget / weeks * (len(earlier) + new) + 1e-12
    # Of what a vendor's own log did to people nothing was predicted, so it pays for nothing.
    vendor = Home(tmp_path / "vendor")
    _tighten(vendor, earlier, model_version="")
    # This week is one of the window's: who was last tightened a whole window ago has left it.
    _tighten(vendor, earlier, model_version="m0", weeks_ago=weeks)
    assert _Decided(vendor, AS_OF, tmp_path / "3.ndjson").harm == pytest.approx(fresh.harm)


def _tighten(home: Home, tenants: list[str], *, model_version: str, weeks_ago: int = 1) -> None:
    """Earlier decisions at 0.85."""
    with SqliteLedger(home.ledger) as ledger:
        for tenant in tenants:
            _tightened(ledger, tenant, model_version, weeks_ago)


def _tightened(ledger: SqliteLedger, tenant: str, model_version: str, weeks_ago: int) -> None:
    from flyball.decision import Assignment, Decision, Mode

    start_us = MONDAY_US - 7 * weeks_ago * DAY_US
    ledger.import_decisions(
        [
            Decision(
                decision_id=f"old-{weeks_ago}-{tenant}",
                tenant_id=tenant,
                organisation=tenant,
                mode=Mode.LIVE,
                assignment=Assignment.DRAWN,
                period_start_us=start_us,
                period_days=7,
                decided_us=start_us,
                arm=85,
                served_arm=85,
                proposed_arm=85,
                offered={85: 0.5, 100: 0.5},
                propensity=0.5,
                reasons=(),
                policy="vendor",
                model_version=model_version,
            )
        ]
    )
