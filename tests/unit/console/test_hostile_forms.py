"""Hostile text in every field of every form, on every page and in every export: it stays text.

Forms are read from the pages, and pages from the router, so that a new field is tried without
anybody thinking of it. Every payload carries a mark; an answer is taken apart by a parser, and
the mark may stand in text and in attributes that hold text, nowhere else. Browsers run the same
payloads in ``tests/browser``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import cast
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from console.desk import Desk
from flyball.instant import DAY_US
from flyball.override import OverrideKind
from ledger.rows import parse_account
from serving.rules import SEEDED_BY
from tests.unit.console.conftest import NOW_US, PASSWORD, Call, Caller
from tests.unit.console.hostile import CSV, HEADER, MARK, PAYLOADS, SUM
from tests.unit.console.routes import pages, routes_of

#: Attributes that hold text, or an address whose query may: never a place where anything runs.
_TEXTS = {"value", "title", "aria-label", "placeholder", "content"}
_LINKS = {"href", "action", "hx-get"}
#: What a browser would let somebody choose or type who means no harm.
BENIGN = {
    "text": "words", "title": "do it", "reason": "because", "name": "Kim", "email": "",
    "login": "kim", "password": PASSWORD, "sees": "owner=bo", "due": "2026-01-20",
    "until": "2026-01-20", "day": "2026-01-05", "sure": "1", "q": "",
}  # fmt: skip


@dataclass
class Form:
    """A form of a page: where it goes, and its fields with what a friendly person would send."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    free: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """Its address, without the numbers in it."""
        return re.sub(r"/(o_)?[0-9a-f-]{1,40}(?=/|$)", "/…", urlsplit(self.action).path)


class Page(HTMLParser):
    """An answer taken apart: its forms, and where marks stand that are not just text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: dict[str, Form] = {}
        self.active: list[str] = []
        self.text = ""
        self._form: Form | None = None
        self._inside, self._select = "", ""
        self._others: list[tuple[str, str, str]] = []
        self.feed(text)
        self.close()
        for owner, name, value in self._others:
            if owner in self.forms:
                self.forms[owner].fields.setdefault(name, value)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self._inside = tag
        if MARK in tag or tag in ("iframe", "object", "embed", "base"):
            self.active.append(f"<{tag}>")
        for name, value in given.items():
            marked = MARK in value
            inert = name in _TEXTS or (name in _LINKS and value.startswith(("/console/", "?")))
            if MARK in name or (marked and not inert):
                self.active.append(f"{name}={value}")
            if name.startswith("on") or (name in _LINKS and urlsplit(value).scheme):
                self.active.append(f"{name}={value}")
        self._read(tag, given)

    def _read(self, tag: str, given: dict[str, str]) -> None:
        """Forms, and what a friendly person would send in their fields."""
        if tag == "form":
            self._form = Form(given.get("method", "get"), given.get("action", ""))
            self.forms[given.get("id") or f"form {len(self.forms)}"] = self._form
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option":
            if "selected" in given or (given.get("value") and not self._value(self._select)):
                self._put(self._select, given.get("value", ""))
        elif tag in ("input", "textarea", "button") and given.get("name"):
            self._field(tag, given["name"], given)

    def _field(self, tag: str, name: str, given: dict[str, str]) -> None:
        kind = "text" if tag == "textarea" else given.get("type", "text")
        typed = kind in ("text", "search", "email", "password", "date")
        value = BENIGN.get(name, given.get("value", "")) if typed else given.get("value", "")
        if given.get("form"):
            self._others.append((given["form"], name, value))
        elif self._form is not None:
            self._form.fields.setdefault(name, value)
            if kind in ("text", "search", "email") and given.get("inputmode") != "decimal":
                self._form.free.add(name)

    def _value(self, name: str) -> str:
        return "" if self._form is None else self._form.fields.get(name, "")

    def _put(self, name: str, value: str) -> None:
        if self._form is not None:
            self._form.fields[name] = value

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        if tag == "form":
            self._form = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if MARK in data and self._inside in ("script", "style"):
            self.active.append(f"inside <{self._inside}>: {data[:40]}")


@dataclass
class Attacker:
    """Somebody with every right, who sends what no browser would."""

    caller: Caller
    token: str
    kept: set[tuple[str, str]] = field(default_factory=set)

    @property
    def application(self) -> FastAPI:
        """What is attacked."""
        return cast(FastAPI, self.caller.client.app)

    def look(self, address: str, *, least: int = 200) -> Page:
        """Open a page; nothing on it may be active."""
        answer = self.caller.client.get(address, follow_redirects=True)
        assert least <= answer.status_code < 500, address
        return self.harmless(answer.text, address, dict(answer.headers))

    def send(self, form: Form, hostile: str, payload: str) -> None:
        """One field hostile, the others as they should be; then look at what came of it."""
        values = form.fields | {hostile: payload}
        if "csrf" in values:
            values["csrf"] = self.token
        client = self.caller.client
        if form.method == "get":
            answer = client.get(form.action, params=values, follow_redirects=True)
        else:
            answer = client.post(form.action, data=values, follow_redirects=False)
        where = f"{form.name} {hostile}={payload!r}"
        assert answer.status_code < 500, where
        page = self.harmless(answer.text, where, dict(answer.headers))
        if answer.status_code == 303:
            page = self.look(answer.headers["location"])
        if MARK in page.text:
            self.kept.add((form.name, hostile))

    def harmless(self, text: str, where: str, headers: dict[str, str]) -> Page:
        """Nothing of the answer is active: no element, attribute, header, formula or sum."""
        for name, value in headers.items():
            assert "x-injected" not in name.lower(), where
            assert not set(value) & set("\r\n"), where
        if "text/csv" in headers.get("content-type", ""):
            _no_formula(text, where)
            return Page("")
        page = Page(text)
        assert page.active == [], where
        assert str(SUM) not in text, where
        return page


def _no_formula(text: str, where: str) -> None:
    for row in csv.reader(io.StringIO(text)):
        for cell in row:
            if cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r")):
                assert float(cell) is not None, where


@pytest.fixture
def filled(desk: Desk) -> Desk:
    """Something on every page: an account with a task, a note, an override and one asked for."""
    desk.ledger.put_setting(
        "guardrails", {}, author=SEEDED_BY, now_us=NOW_US - 9, reason="first start"
    )
    who = {"author": "bo", "now_us": NOW_US - 5}
    desk.ledger.add_tasks(["t1"], "Call", due_us=NOW_US + DAY_US, assignee="ann", **who)  # type: ignore[arg-type]
    desk.ledger.add_note("t1", "New CTO", **who)  # type: ignore[arg-type]
    for put in (desk.ledger.add_override, desk.ledger.request_override):
        put(
            "t1", OverrideKind.EXEMPT, author="bo", reason="why not", now_us=NOW_US - 5,
            expires_us=NOW_US + DAY_US,
        )  # fmt: skip
    ann = desk.ledger.user_named("ann")
    assert ann is not None
    desk.ledger.save_view(ann.user_id, "Mine", "risk=high", shared=True, now_us=NOW_US)
    desk.standings.follow()
    return desk


@pytest.fixture
def names(filled: Desk) -> dict[str, str]:
    """What stands for the parameters in paths."""
    user = filled.ledger.user_named("bo")
    assert user is not None
    (task,) = filled.ledger.tasks("t1")
    return {"tenant_id": "t1", "user_id": user.user_id, "task_id": str(task.task_id)}


@pytest.fixture
def attacker(filled: Desk, call: Call) -> Attacker:
    ann = call("ann")
    return Attacker(ann, ann.token())


def forms_on(attacker: Attacker, addresses: list[str]) -> Iterator[Form]:
    """Every form of those pages, each once."""
    seen = set[str]()
    for address in addresses:
        for form in attacker.look(address).forms.values():
            form.action = form.action or address
            if form.name not in seen and not form.action.endswith("/sign-out"):
                seen.add(form.name)
                yield form


def test_every_field_of_every_form_keeps_hostile_text_as_text(
    attacker: Attacker, names: dict[str, str], filled: Desk
) -> None:
    addresses = [page for page in pages(names) if page != "/console/sign-in"]
    addresses.append("/console/bulk?tenant=t1&tenant=t2")
    forms = list(forms_on(attacker, addresses))
    sent_to = {urlsplit(form.action).path for form in forms}
    for form in forms:
        for name in form.fields:
            if name == "csrf":
                continue
            # Where one may write anything, every payload by itself; elsewhere all at once.
            alone = PAYLOADS if name in form.free else ()
            for payload in (*alone, " ".join(PAYLOADS) + HEADER):
                attacker.send(form, name, payload)
    untried = {
        path for method, path in routes_of(attacker.application)
        if method == "POST" and path not in ("/console/sign-in", "/console/sign-out")
        and not any(re.fullmatch(re.sub(r"\{[a-z_]+\}", "[^/]+", path), to) for to in sent_to)
    }  # fmt: skip
    assert untried == set(), "no page shows the forms that go there"
    # What people may write freely was kept and shown, or this test would prove nothing.
    for path, name in (
        ("notes", "text"), ("tasks", "title"), ("contacts", "text"), ("feedback", "reason"),
        ("override", "reason"), ("tasks/…/edit", "title"),
    ):  # fmt: skip
        assert (f"/console/accounts/t1/{path}", name) in attacker.kept, path
    assert {("/console/views", "name"), ("/console/users", "name")} <= attacker.kept
    filled.standings.follow()
    for address in [*addresses, "/console/accounts.csv", "/console/audit.csv"]:
        attacker.look(address)


def test_what_imports_bring_is_text_on_every_page(
    attacker: Attacker, names: dict[str, str], filled: Desk
) -> None:
    labels = ("name", "owner", "segment", "region", "parent_org")
    for number, payload in enumerate(PAYLOADS):
        row = {"tenant_id": f"h{number}", "plan": "pro", "created_at": "2025-01-01T00:00:00Z"}
        account = parse_account(row | dict.fromkeys(labels, payload))
        filled.ledger.put_account(replace(account, known_us=NOW_US - 1), author=payload)
    filled.standings.follow()
    listed = attacker.look("/console/?size=200&sort=account")
    assert all(payload in listed.text for payload in PAYLOADS)
    for address in pages(names):
        attacker.look(address)
    for number in range(len(PAYLOADS)):
        for address in pages(names | {"tenant_id": f"h{number}"}):
            if f"/h{number}" in address and "/tasks/" not in address:
                assert PAYLOADS[number] in attacker.look(address).text, address
    for by in ("owner", "segment", "region", "plan"):
        attacker.look(f"/console/portfolio?by={by}")
    exported = attacker.caller.client.get("/console/accounts.csv").text
    _no_formula(exported, "export")
    cells = {cell for row in csv.reader(io.StringIO(exported)) for cell in row}
    assert {f"'{payload}" for payload in CSV} <= cells


def test_what_an_address_says_is_text(attacker: Attacker, names: dict[str, str]) -> None:
    hostile = " ".join(PAYLOADS) + HEADER
    for address in pages(names):
        fields = {
            name for form in attacker.look(address).forms.values() for name in form.fields
        } | {"next", "by", "days", "page", "sort", "cols", "tenant", "since"}  # fmt: skip
        for text in (hostile, HEADER, *PAYLOADS[:2]):
            answer = attacker.caller.client.get(address, params=dict.fromkeys(fields, text))
            assert answer.status_code < 500, address
            attacker.harmless(answer.text, address, dict(answer.headers))
        for param in ("tenant_id", "user_id", "task_id"):
            if f"/{names[param]}" in address:
                where = address.replace(f"/{names[param]}", f"/{MARK}%3Cscript%3E%0d%0a=1+1")
                attacker.look(where)


def test_the_door_takes_hostile_text_for_text(call: Call, filled: Desk) -> None:
    stranger = call()
    client = stranger.client
    for number, payload in enumerate((*PAYLOADS[::4], HEADER)):
        fields = {"csrf": stranger.token("/console/sign-in"), "login": payload, "password": payload,
                  "next": payload}  # fmt: skip
        answer = client.post("/console/sign-in", data=fields, follow_redirects=False)
        assert answer.status_code == 403, number
        Attacker(stranger, "").harmless(answer.text, payload, dict(answer.headers))
