"""``flyball digest --send`` as cron runs it, through a real SMTP server: once a day to each."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from flyball.home import Home
from ledger.rows import parse_account, parse_plan
from ledger.sqlite_ledger import SqliteLedger, open_ledger
from ledger.users import UserRole, sees_from
from tests.integration.node.server import free_port

NOW_US = time.time_ns() // 1_000


class Box:
    """What arrived; refuses one address as a full mailbox would."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address.startswith("full@"):
            return "552 mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def taken(self) -> list[str]:
        """To whom, since the last time."""
        found = sorted(str(mail["To"]) for mail in self.mails)
        self.mails.clear()
        return found


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    arrived = Box()
    controller = Controller(arrived, hostname="127.0.0.1", port=free_port())
    controller.start()
    home = Home(tmp_path / "home")
    home.root.mkdir()
    home.settings.write_text(
        '[console]\npublic_url = "https://console.example.com"\n[console.mail]\n'
        f'host = "127.0.0.1"\nport = {controller.port}\nsecurity = "none"\n'
        'sender = "flyball@example.com"\n'
    )
    fill(home)
    yield arrived
    controller.stop()


def fill(home: Home) -> None:
    """Two owners' accounts, and people with and without an address."""
    plan = {
        "plan": "pro", "rank": 1, "monthly_price_minor": 100, "currency": "USD",
        "primary_meter": "api.requests", "limits": {"api.requests": {"base": 10, "contract": 7}},
    }  # fmt: skip
    with open_ledger(home) as ledger:
        ledger.import_plans([parse_plan(plan)], now_us=NOW_US)
        for owner in ("bo", "cy"):
            row = {
                "tenant_id": f"t-{owner}", "name": f"Account of {owner}", "owner": owner,
                "plan": "pro", "created_at": "2025-01-01T00:00:00Z",
            }  # fmt: skip
            ledger.import_accounts([parse_account(row)], now_us=NOW_US)
        for login, email in (("bo", "bo@example.com"), ("cy", "cy@example.com"), ("di", "")):
            ledger.add_user(
                login, role=UserRole.CS, sees=[sees_from(f"owner={login}")], email=email,
                author="tests", now_us=NOW_US,
            )  # fmt: skip


def send(tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = ("-m", "commands", "--home", str(tmp_path / "home"), "digest", "--send", *more)
    return subprocess.run(
        [sys.executable, *command], check=False, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )  # fmt: skip


def _html(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def test_everybody_with_an_address_gets_their_own_once_a_day(tmp_path: Path, box: Box) -> None:
    done = send(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["Sent to bo.", "Sent to cy."]
    told = {str(mail["To"]): _html(mail) for mail in box.mails}
    assert {str(mail["Subject"]).split(": ")[1] for mail in box.mails} == {"1 account, nothing new"}
    assert len(told) == 2
    for to, text in told.items():
        own, other = ("bo", "cy") if "bo@" in to else ("cy", "bo")
        assert f"Account of {own}" in text
        assert f"Account of {other}" not in text
        assert "https://console.example.com/console/accounts/t-" in text
    box.taken()
    assert send(tmp_path).stdout == ""
    assert box.taken() == []
    assert send(tmp_path, "--user", "bo", "--again").stdout == "Sent to bo.\n"
    assert box.taken() == ["bo <bo@example.com>"]
    with SqliteLedger(tmp_path / "home" / "ledger.sqlite", read_only=True) as ledger:
        assert len(ledger.audit(target="digest:bo")) == 2


def test_a_refused_mailbox_is_told_and_keeps_nobody_elses_back(tmp_path: Path, box: Box) -> None:
    with SqliteLedger(tmp_path / "home" / "ledger.sqlite") as ledger:
        bo = ledger.user_named("bo")
        assert bo is not None
        ledger.change_user(bo.user_id, email="full@example.com", author="tests", now_us=NOW_US)
    done = send(tmp_path)
    assert done.returncode == 1
    assert "not to bo" in done.stderr
    assert box.taken() == ["cy <cy@example.com>"]
    with SqliteLedger(tmp_path / "home" / "ledger.sqlite", read_only=True) as ledger:
        assert ledger.audit(target="digest:bo") == []
