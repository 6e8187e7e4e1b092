"""A provider's process and a console's process that is its client."""

from __future__ import annotations

import html
import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from flyball.home import Home
from ledger.rows import parse_account, parse_plan
from ledger.sqlite_ledger import SqliteLedger, open_ledger
from ledger.users import UserRole, sees_from
from tests.integration.console_sign_in.provider import CLIENT, SECRET

PROVIDER = Path(__file__).with_name("provider.py")
NOW_US = 1_767_571_200_000_000
VARIABLE = "TESTS_OIDC_SECRET"


@dataclass
class Entrance:
    """Both, and a browser without scripts between them."""

    issuer: str
    console: str
    home: Home
    log: Path
    opened: list[httpx2.Client] = field(default_factory=list)

    def control(self, **orders: Any) -> None:
        """Tell the provider how to behave; nothing given: well."""
        httpx2.post(f"{self.issuer}/control", content=json.dumps(orders), trust_env=False)

    def settle(self) -> None:
        """Let the provider behave again, and close the browsers."""
        self.control()
        while self.opened:
            self.opened.pop().close()

    def ledger(self) -> SqliteLedger:
        """Another handle on the console's ledger; close it."""
        return SqliteLedger(self.home.ledger)


class Browser:
    """Keeps cookies, follows nothing by itself."""

    def __init__(self, entrance: Entrance) -> None:
        self.entrance = entrance
        self.client = httpx2.Client(base_url=entrance.console, trust_env=False)
        entrance.opened.append(self.client)

    def begin(self, back: str = "") -> str:
        """Press the sign-in page's button; where that leads."""
        door = self.client.get("/console/sign-in", params={"next": back} if back else {})
        found = re.search(r'href="(/console/openid/start[^"]*)"', door.text)
        assert found is not None
        answer = self.client.get(html.unescape(found[1]))
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def consent(self, address: str, sub: str) -> str:
        """Fill in the provider's form as ``sub``; where the provider sends us."""
        form = httpx2.get(address, trust_env=False)
        assert form.status_code == 200, form.text
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form.text))
        given = {name: html.unescape(value) for name, value in fields.items()} | {"sub": sub}
        answer = httpx2.post(f"{self.entrance.issuer}/authorize", data=given, trust_env=False)
        return str(answer.headers["location"])

    def sign_in(self, sub: str, back: str = "") -> httpx2.Response:
        """All of it; the console's answer to the way back."""
        return self.client.get(self.consent(self.begin(back), sub))

    @property
    def inside(self) -> bool:
        """Whether the console takes us for somebody."""
        return self.client.get("/console/").status_code == 200


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider, one for all tests of a module; each test's console is its client."""
    process = subprocess.Popen([sys.executable, str(PROVIDER)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        ready, _, _ = select.select([process.stdout], [], [], 30)
        assert ready
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def entrance(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entrance]:
    """A console that knows ann (an administrator) and off (disabled) by their subjects."""
    with console_of(issuer, tmp_path_factory.mktemp("strict"), "") as found:
        yield found


@pytest.fixture(scope="module")
def open_entrance(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entrance]:
    """The same, where the provider's people are let in as viewers and passwords are not taken."""
    more = (
        'passwords = false\nprovision = true\nprovision_role = "cs"\n'
        'provision_sees = ["segment=fintech"]\n'
    )
    with console_of(issuer, tmp_path_factory.mktemp("open"), more) as found:
        yield found


@contextmanager
def console_of(issuer: str, folder: Path, more: str) -> Iterator[Entrance]:
    """A console's process over a small home, with ``more`` in its table."""
    home = filled(folder, issuer)
    home.settings.write_text(
        f'[console]\nport = 0\n[console.oidc]\nissuer = "{issuer}"\nclient_id = "{CLIENT}"\n'
        f'secret_env = "{VARIABLE}"\nname = "Acme ID"\n{more}'
    )
    log = folder / "console.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "commands", "--home", str(home.root), "console"],
            stdout=output, stderr=output, env={**os.environ, VARIABLE: SECRET},
        )  # fmt: skip
    try:
        found = Entrance(issuer, _address(log, process), home, log)
        found.control(redirects=[f"{found.console}/console/openid/callback"])
        yield found
    finally:
        process.terminate()
        process.wait(20)


def filled(folder: Path, issuer: str) -> Home:
    """A home with one tenant and two users."""
    home = Home(folder / "home")
    plan = {
        "plan": "free", "rank": 1, "monthly_price_minor": 0, "currency": "USD",
        "primary_meter": "api.requests", "limits": {"api.requests": {"base": 10, "contract": 7}},
    }  # fmt: skip
    account = {"tenant_id": "t1", "plan": "free", "created_at": "2025-01-01T00:00:00Z"}
    with open_ledger(home) as ledger:
        ledger.import_plans([parse_plan(plan)], now_us=NOW_US)
        ledger.import_accounts([parse_account(account)], now_us=NOW_US)
        for login, role in (("ann", UserRole.ADMIN), ("off", UserRole.CS)):
            user = ledger.add_user(
                login, role=role, sees=[sees_from("all")], author="tests", now_us=NOW_US,
                subject=f"{issuer}|00-{login}",
            )  # fmt: skip
        ledger.change_user(user.user_id, enabled=False, author="tests", now_us=NOW_US)
    return home


def _address(log: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"The console is on (http://[^/]+)/", log.read_text(errors="replace"))
        if found is not None and _answers(found[1]):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text(errors="replace"))


def _answers(console: str) -> bool:
    try:
        return httpx2.get(f"{console}/console/healthz", trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False
