"""A small home that the console's tests visit: filled by the commands, scored with known numbers.

No model could be trained on so few weeks, so the predictions are put beside the decisions as the
control loop would: churn and upgrade chances over the whole range, arms on both sides of 1.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from flyball.arm import DEFAULT_GRID
from flyball.decision import Assignment, Decision, Mode, decision_id
from flyball.home import Home
from flyball.instant import DAY_US, period_start
from ledger.explanations import ArmView, Evidence, Explanations
from ledger.sqlite_ledger import SqliteLedger, open_ledger

TENANTS, WEEKS = 120, 8
PASSWORD = "correct horse battery staple"
#: Choosing a multiplier needs a second pair of eyes; other overrides hold at once.
SETTINGS = '[console]\nsecond_pair_of_eyes = "choose"\n'
#: Login, role and what they see.
USERS = (
    ("ann", "admin", ("all",)),
    ("lin", "lead", ("all",)),
    ("amara", "cs", ("owner=amara",)),
    ("bjorn", "cs", ("owner=bjorn",)),
    ("vic", "viewer", ("segment=fintech",)),
    ("noa", "lead", ("owner=nobody",)),
)
GROUPS = ("commercial", "consumption", "engagement", "friction", "support", "trajectory")
_ARMS = (85, 100, 100, 115, 70, 100, 130)


def fill(home: Home, folder: Path) -> None:
    """Simulate, import, let people in and score: what a real home has, within seconds."""
    delivery = folder / "delivery"
    home.root.mkdir(parents=True, exist_ok=True)
    home.settings.write_text(SETTINGS, encoding="utf-8")
    _run("-m", "simulation", "--tenants", str(TENANTS), "--weeks", str(WEEKS), "--quiet",
         "--seed", "5", "--end", "now", "--out", str(delivery))  # fmt: skip
    flyball(home, "import", str(delivery))
    for login, role, sees in USERS:
        rules = [part for rule in sees for part in ("--sees", rule)]
        flyball(
            home, "user", "add", login, "--role", role, *rules, "--password-stdin", "--author",
            "tests", "--name", login.title(), "--email", f"{login}@example.com",
            words=PASSWORD + "\n",
        )  # fmt: skip
    with open_ledger(home) as ledger:
        score(home, ledger, now_us())


def now_us() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000


def flyball(home: Home, *arguments: str, words: str = "") -> str:
    """Run one command line on the home; its output."""
    return _run("-m", "commands", "--home", str(home.root), *arguments, words=words)


def _run(*arguments: str, words: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *arguments], check=False, capture_output=True, text=True, input=words,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def score(home: Home, ledger: SqliteLedger, at_us: int) -> None:
    """Two weeks of decisions for everybody, and what the current ones are based on."""
    start_us = period_start(at_us, 7)
    accounts = ledger.accounts_as_of(at_us)
    decisions, evidence = [], []
    for number, tenant_id in enumerate(accounts):
        churn, upgrade = _chances(number)
        before = _decision(tenant_id, start_us - 7 * DAY_US, _ARMS[(number + 2) % 7])
        decisions += [
            _scored(before, max(0.001, churn - 0.03 * (number % 4 == 0)), upgrade * 0.9),
            _scored(_decision(tenant_id, start_us, _ARMS[number % 7]), churn, upgrade),
        ]
        evidence.append((tenant_id, _evidence(decisions[-1], churn, upgrade, number)))
    ledger.append_decisions(decisions)
    with Explanations(home.explanations) as file:
        file.put(evidence)


def _chances(number: int) -> tuple[float, float]:
    return 0.004 + 0.3 * ((number * 37) % 100 / 100) ** 3, 0.3 * ((number * 61) % 100 / 100) ** 2


def _decision(tenant_id: str, start_us: int, arm: int) -> Decision:
    assignment = Assignment.HOLDOUT if arm == 130 else Assignment.DRAWN
    arm = 100 if assignment is Assignment.HOLDOUT else arm
    reason = {100: "no_arm_pays", 115: "relief_outweighs_cost"}.get(
        arm, "upgrade_effect_outweighs_churn"
    )
    return Decision(
        decision_id=decision_id(tenant_id, start_us, Mode.LIVE), tenant_id=tenant_id,
        organisation=tenant_id, mode=Mode.LIVE, assignment=assignment, period_start_us=start_us,
        period_days=7, decided_us=start_us, arm=arm, served_arm=arm, proposed_arm=arm,
        offered={100: 0.05, arm: 0.95} if arm != 100 else {100: 1.0},
        propensity=0.95 if arm != 100 else 1.0,
        reasons=("holdout",) if assignment is Assignment.HOLDOUT else (reason,), policy="value",
        model_version="7", base_limit=10_000, contract_limit=7_000, window_seconds=60,
    )  # fmt: skip


def _scored(decision: Decision, churn: float, upgrade: float) -> Decision:
    return replace(decision, churn_probability=churn, upgrade_probability=upgrade)


def _evidence(decision: Decision, churn: float, upgrade: float, number: int) -> Evidence:
    weights = [((number * (7 + at)) % 19 - 9) / 10 for at in range(len(GROUPS))]
    known = number % 3 != 0
    return Evidence(
        decision_id=decision.decision_id, as_of_us=decision.decided_us, model_version="7",
        proposed_arm=decision.proposed_arm,
        contributions={
            outcome: dict(zip(GROUPS, [sign * w for w in weights], strict=True))
            for outcome, sign in (("upgrade", 1.0), ("downgrade", 0.2), ("churn", -0.8))
        },
        arms=[
            _arm(arm, decision.offered.get(arm), churn, upgrade, known=known or arm == 100)
            for arm in DEFAULT_GRID
        ],
        features={"demand_sum_7d": 1_000.0 + number, "seats": None},
        upgrade=upgrade, churn=churn,
    )  # fmt: skip


def _arm(
    arm: int, propensity: float | None, churn: float, upgrade: float, *, known: bool
) -> ArmView:
    dose = max(0.0, (100 - arm) / 100)
    if not known:
        return ArmView(arm, "none", dose, None, None, None, None, propensity)
    tighter = (100 - arm) / 1_000
    return ArmView(
        arm, "segment", dose, max(0.0, upgrade + tighter), 0.01, max(0.0, churn + tighter / 2),
        0.005, propensity,
    )  # fmt: skip
