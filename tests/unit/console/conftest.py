"""The console as an application in this process, over a small ledger, asked over ASGI."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.testclient import TestClient

from console.application import create_console
from console.desk import Desk
from console.process import open_desk
from console.settings import ConsoleSettings
from flyball.decision import Assignment, Decision, Mode, decision_id
from flyball.home import Home
from flyball.instant import DAY_US, period_start
from ledger.rows import parse_account, parse_plan
from ledger.sqlite_ledger import open_ledger
from ledger.users import UserRole, sees_from

NOW_US = 1_767_700_800_000_000
PASSWORD = "correct horse battery staple"
USERS = (("ann", "admin", "all"), ("bo", "cs", "owner=bo"), ("vic", "viewer", "region=eu"))


#: The same algorithm for a thousandth of the work; test_passwords.py holds the console to its own.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly every test signs in, and argon2 is slow on purpose: a quarter of a second each."""
    monkeypatch.setattr("console.access.passwords._HASHER", CHEAP)


@pytest.fixture(scope="session")
def stored_password() -> str:
    """One hash for everybody, as cheap to verify as it was to make."""
    return CHEAP.hash(PASSWORD)


def decision(
    tenant_id: str, *, arm: int = 100, weeks_ago: int = 0, churn: float = 0.02
) -> Decision:
    """A live decision of a week, with its chances."""
    start_us = period_start(NOW_US, 7) - weeks_ago * 7 * DAY_US
    return Decision(
        decision_id=decision_id(tenant_id, start_us, Mode.LIVE), tenant_id=tenant_id,
        organisation=tenant_id, mode=Mode.LIVE, assignment=Assignment.POLICY,
        period_start_us=start_us, period_days=7, decided_us=start_us, arm=arm, served_arm=arm,
        proposed_arm=arm, offered={arm: 1.0}, propensity=1.0, reasons=("no_arm_pays",),
        policy="value", base_limit=1000, contract_limit=700, window_seconds=60,
        churn_probability=churn, upgrade_probability=0.2,
    )  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path, stored_password: str) -> Iterator[Desk]:
    """Four tenants: t1 and t2 of bo, t3 and t4 of cy; t1 at high risk, t4 in the EU."""
    home = Home(tmp_path / "home")
    plan = {
        "plan": "pro", "rank": 2, "monthly_price_minor": 10_000, "currency": "USD",
        "primary_meter": "api.requests",
        "limits": {"api.requests": {"base": 1000, "contract": 700}},
    }  # fmt: skip
    base: dict[str, object] = {"plan": "pro", "created_at": "2025-01-01T00:00:00Z"}
    rows = [
        base | {"tenant_id": "t1", "name": "Äpfel & Co", "owner": "bo", "aliases": "key_1"},
        base | {"tenant_id": "t2", "name": "=1+1", "owner": "bo", "mrr_minor": 50_000},
        base | {"tenant_id": "t3", "name": "<script>alert(1)</script>", "owner": "cy"},
        base | {"tenant_id": "t4", "name": "Delta", "owner": "cy", "region": "eu"},
    ]
    with open_ledger(home) as ledger:
        ledger.import_plans([parse_plan(plan)], now_us=NOW_US)
        ledger.import_accounts([parse_account(row) for row in rows], now_us=NOW_US)
        ledger.append_decisions(
            [
                decision("t1", arm=85, churn=0.2),
                decision("t1", weeks_ago=1, churn=0.1),
                *(decision(name) for name in ("t2", "t3", "t4")),
            ]
        )
        for login, role, sees in USERS:
            ledger.add_user(
                login, role=UserRole(role), sees=[sees_from(sees)], author="tests",
                now_us=NOW_US, password=stored_password,
            )  # fmt: skip
    with open_desk(home, ConsoleSettings(), lambda: NOW_US) as opened:
        yield replace(opened, wall_us=lambda: NOW_US)


class Caller:
    """One browser without scripts: keeps cookies, takes the token from the page it looked at."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def get(self, address: str, **more: object) -> tuple[int, str]:
        """Status and text of a page, redirects not followed."""
        answer = self.client.get(address, follow_redirects=False, **more)  # type: ignore[arg-type]
        return answer.status_code, answer.text

    def token(self, address: str = "/console/") -> str:
        """The token in the forms of a page."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(address)[1])
        assert found is not None
        return found[1]

    def post(self, address: str, fields: dict[str, str], **more: object) -> tuple[int, str]:
        """Status and where it leads (or the page) of a form with the right token."""
        data = {"csrf": self.token(), **fields}
        answer = self.client.post(address, data=data, follow_redirects=False, **more)  # type: ignore[arg-type]
        return answer.status_code, answer.headers.get("location", answer.text)

    def sign_in(self, login: str, password: str = PASSWORD, back: str = "/console/") -> int:
        """Fill in the door's form; the status."""
        token = self.token("/console/sign-in")
        data = {"csrf": token, "login": login, "password": password, "next": back}
        answer = self.client.post("/console/sign-in", data=data, follow_redirects=False)
        return answer.status_code


Call = Callable[..., Caller]


def console_over(desk: Desk) -> FastAPI:
    """The application over ``desk``, its routes put together once for all desks set up alike.

    An application holds nothing but its desk, and putting it together takes longer than a page.
    """
    application = _console_set_up_as(desk.settings)
    application.state.desk = desk
    return application


@lru_cache(maxsize=8)
def _console_set_up_as(settings: ConsoleSettings) -> FastAPI:
    return create_console(cast(Desk, SimpleNamespace(settings=settings)))


@pytest.fixture
def call(desk: Desk) -> Call:
    """A browser, signed in as the login given."""

    def opened(login: str | None = None) -> Caller:
        caller = Caller(TestClient(console_over(desk), base_url="http://127.0.0.1"))
        if login is not None:
            assert caller.sign_in(login) == 303
        return caller

    return opened
