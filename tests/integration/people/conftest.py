"""A home with two tenants, and the command line on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands.main import run
from flyball.home import Home
from ledger.rows import parse_account, parse_plan
from ledger.sqlite_ledger import open_ledger

NOW_US = 1_767_571_200_000_000


@dataclass(frozen=True)
class Said:
    """What one command line answered."""

    code: int
    out: str
    err: str


Flyball = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Tenants t1 (alias key_1) and t2 on the plan free."""
    found = Home(tmp_path / "home")
    plan = {
        "plan": "free", "rank": 1, "monthly_price_minor": 0, "currency": "USD",
        "primary_meter": "api.requests", "limits": {"api.requests": {"base": 10, "contract": 7}},
    }  # fmt: skip
    account: dict[str, object] = {"plan": "free", "created_at": "2025-01-01T00:00:00Z"}
    with open_ledger(found) as ledger:
        ledger.import_plans([parse_plan(plan)], now_us=NOW_US)
        ledger.import_accounts(
            [
                parse_account(account | {"tenant_id": "t1", "aliases": "key_1"}),
                parse_account(account | {"tenant_id": "t2"}),
            ],
            now_us=NOW_US,
        )
    return found


@pytest.fixture
def flyball(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Flyball:
    """Run one command line on the home."""
    monkeypatch.setenv("FLYBALL_AUTHOR", "ann")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("FLYBALL_HOME", raising=False)

    def say(*words: str, at: Path | None = None) -> Said:
        code = run(["--home", str(at or home.root), *words])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return say
