"""Every route of the router × every role × two owners: nobody learns of the other's accounts.

Routes are enumerated from the application, so a new one is asked without anybody thinking of it.
What is foreign and what does not exist must be answered alike, by the same statements in the same
order: nothing is left that a clock could tell apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from console.access.visitor import COOKIE
from console.application import create_console
from console.design import flash
from console.desk import Desk
from console.standings.file import Standings
from flyball.instant import DAY_US
from flyball.override import OverrideKind
from ledger.rows import parse_account
from ledger.users import UserRole, sees_from
from tests.unit.console.conftest import NOW_US, decision
from tests.unit.console.routes import routes_of

#: What belongs to each owner: an account, and words that occur nowhere else.
SECRETS = {
    "bo": ("tenant-of-bo", "Zebra Bolide", "bo-note", "bo-task", "bo-reason", "bo-org"),
    "cy": ("tenant-of-cy", "Zebra Cyclops", "cy-note", "cy-task", "cy-reason", "cy-org"),
}
OTHER = {"bo": "cy", "cy": "bo"}
UNKNOWN = "tenant-of-no"
#: These end or begin a session, or belong to everybody; tests of their own are in their rooms.
NOT_ASKED = {"/console/sign-out", "/console/sign-in"}
#: What a form may ask for; each route takes what it knows.
FIELDS = {
    "kind": "force_neutral", "reason": "because", "days": "7", "expires": "2026-01-20",
    "text": "words", "title": "do it", "due": "2026-01-20", "assignee": "ann", "owner": "bo",
    "verdict": "too_high", "subject": "churn", "state": "done", "approved": "1", "note": "words",
    "name": "words", "query": "q=zebra", "when": "2026-01-05", "what": "call", "arm": "100",
}  # fmt: skip


@dataclass(frozen=True)
class Guest:
    """A signed-in browser of one role who sees one owner's accounts."""

    client: TestClient
    csrf: str
    role: UserRole
    owner: str

    def ask(self, method: str, address: str, tenant_id: str = "") -> tuple[int, str]:
        """Status, and what the answer says (page, or where it leads)."""
        # The message of the last move would be told by this answer and not by the next one.
        for cookie in [c for c in self.client.cookies.jar if c.name == flash.COOKIE]:
            self.client.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)
        if method == "POST":
            data = {**FIELDS, "csrf": self.csrf, "tenant": tenant_id, "tenant_id": tenant_id}
            answer = self.client.post(address, data=data, follow_redirects=False)
        else:
            answer = self.client.get(address, follow_redirects=False)
        return answer.status_code, answer.text + str(sorted(answer.headers.items()))


@pytest.fixture
def filled(desk: Desk) -> Desk:
    """Both owners' accounts with everything that a page could tell."""
    for owner, (tenant_id, name, note, task, reason, organisation) in SECRETS.items():
        row = {
            "tenant_id": tenant_id, "name": name, "owner": owner, "plan": "pro",
            "parent_org": organisation, "aliases": f"key-{organisation}",
            "created_at": "2025-01-01T00:00:00Z",
        }  # fmt: skip
        ledger = desk.ledger
        ledger.import_accounts([parse_account(row)], now_us=NOW_US - DAY_US)
        ledger.append_decisions([decision(tenant_id, weeks_ago=weeks) for weeks in (0, 1, 5)])
        ledger.add_note(tenant_id, note, author="ann", now_us=NOW_US - 5)
        ledger.add_tasks(
            [tenant_id], task, due_us=NOW_US, assignee="ann", author="ann", now_us=NOW_US - 5
        )
        ledger.add_override(
            tenant_id, OverrideKind.FORCE_NEUTRAL, author="ann", reason=reason, now_us=NOW_US - 5,
            expires_us=NOW_US + DAY_US,
        )  # fmt: skip
        ledger.request_override(
            tenant_id, OverrideKind.EXEMPT, author="ann", reason=reason, now_us=NOW_US - 5,
            expires_us=NOW_US + DAY_US,
        )  # fmt: skip
    desk.standings.follow()
    return desk


@pytest.fixture
def application(filled: Desk) -> FastAPI:
    return create_console(filled)


@pytest.fixture
def guests(filled: Desk, application: FastAPI) -> list[Guest]:
    """Everybody: four roles for each of two owners."""
    found = []
    for owner in SECRETS:
        for role in UserRole:
            user = filled.ledger.add_user(
                f"{role.value}-{owner}", role=role, sees=[sees_from(f"owner={owner}")],
                author="tests", now_us=NOW_US,
            )  # fmt: skip
            cookie, session = filled.ledger.open_session(
                user.user_id, login=user.login, now_us=NOW_US, expires_us=NOW_US + DAY_US
            )
            client = TestClient(application, base_url="http://127.0.0.1")
            client.cookies.set(COOKIE, cookie, path="/console")
            found.append(Guest(client, session.csrf, role, owner))
    return found


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that pages ask the read model, as they are asked."""
    seen: list[str] = []
    asked = Standings.rows

    def recorded(self: Standings, sql: str, bindings: Any = ()) -> list[tuple[Any, ...]]:
        seen.append(sql)
        return asked(self, sql, bindings)

    monkeypatch.setattr(Standings, "rows", recorded)
    return seen


def asked_of(application: FastAPI) -> list[tuple[str, str]]:
    """Method and path of every route but those that end or begin a session."""
    return [found for found in routes_of(application) if found[1] not in NOT_ASKED]


def address(path: str, tenant_id: str, record: str = "1") -> str:
    """A route's path with an account in it; every other parameter is a record's number."""
    named = path.replace("{tenant_id}", tenant_id).replace("{override_id}", f"o_{record}")
    return re.sub(r"\{[a-z_]+\}", record, named)


def about(desk: Desk, tenant_id: str) -> list[int]:
    """How many rows each table of the ledger has about one account."""
    tables = desk.ledger.file.rows(
        "SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c "
        "WHERE m.type = 'table' AND c.name = 'tenant_id' ORDER BY 1"
    )
    assert len(tables) > 10
    return [
        desk.ledger.file.rows(f"SELECT count(*) FROM {name} WHERE tenant_id = ?", (tenant_id,))[0][
            0
        ]
        for (name,) in tables
    ]


def test_the_router_is_enumerated(application: FastAPI) -> None:
    paths = {path for _, path in asked_of(application)}
    assert {"/console/", "/console/accounts/{tenant_id}", "/console/accounts.csv"} <= paths
    assert {"/console/portfolio", "/console/audit.csv", "/console/kill"} <= paths
    assert len(paths) >= 20


def test_no_page_search_or_export_tells_of_a_foreign_account(
    application: FastAPI, guests: list[Guest]
) -> None:
    narrowed = ("", "?" + urlencode({"q": "zebra", "days": "28"}), "?owner=cy",
                "?sort=account&size=200&by=owner")  # fmt: skip
    own, pages = 0, 0
    for guest in guests:
        for method, path in asked_of(application):
            if method != "GET" or "{" in path:
                continue
            for query in narrowed:
                status, text = guest.ask("GET", path + query)
                assert status < 500, path
                leaked = [word for word in SECRETS[OTHER[guest.owner]] if word in text]
                assert leaked == [], (guest.role, guest.owner, path + query)
                pages += 1
                own += SECRETS[guest.owner][1] in text
    # Their own accounts are told, so the search could have found the others'.
    assert own > pages // 6


def test_a_guess_tells_no_more_than_a_name_that_does_not_exist(
    application: FastAPI, guests: list[Guest], filled: Desk, statements: list[str]
) -> None:
    asked = 0
    for guest in guests:
        foreign = SECRETS[OTHER[guest.owner]][0]
        before = about(filled, foreign)
        for method, path in asked_of(application):
            if "{tenant_id}" not in path and not path.startswith("/console/bulk"):
                continue
            told = []
            for tenant_id in (foreign, UNKNOWN):
                statements.clear()
                query = f"?tenant={tenant_id}" if method == "GET" and "{" not in path else ""
                status, text = guest.ask(method, address(path, tenant_id) + query, tenant_id)
                assert not any(word in text for word in SECRETS[OTHER[guest.owner]][1:])
                told.append((status, text.replace(tenant_id, "…"), tuple(statements)))
            assert told[0] == told[1], (guest.role, method, path)
            assert told[0][0] in (303, 403, 404, 422)
            asked += 1
        assert about(filled, foreign) == before, guest
    assert asked >= 8 * 8


def test_a_foreign_record_is_out_of_reach_through_an_own_account(
    application: FastAPI, guests: list[Guest], filled: Desk
) -> None:
    for guest in guests:
        own, foreign = SECRETS[guest.owner][0], SECRETS[OTHER[guest.owner]][0]
        before = about(filled, foreign)
        for method, path in asked_of(application):
            if "{tenant_id}" not in path or path.count("{") < 2:
                continue
            # Records are numbered from 1; bo's were made first.
            record = "2" if guest.owner == "bo" else "1"
            status, text = guest.ask(method, address(path, own, record), own)
            assert status in (303, 403, 404, 409, 422), path
            assert not any(word in text for word in SECRETS[OTHER[guest.owner]])
        assert about(filled, foreign) == before, guest


def test_nobody_reaches_anything_without_a_session(application: FastAPI) -> None:
    client = TestClient(application, base_url="http://127.0.0.1")
    for method, path in asked_of(application):
        if path == "/console/healthz" or path.startswith("/console/openid"):
            continue
        where = address(path, "tenant-of-bo")
        answer = client.request(method, where, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"][:16]) == (303, "/console/sign-in")
