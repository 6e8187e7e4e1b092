"""What people and imports write is text, on every page: nothing of it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Dialog, Page, Response

from flyball.instant import DAY_US
from flyball.override import OverrideKind
from ledger.follow_up import Subject, Verdict
from ledger.records import Intervention
from ledger.rows import parse_account
from tests.browser.conftest import Running, Visit

XSS = (
    "<script>window.ran=1</script>",
    '"><img src=x onerror=window.ran=1>',
    "'><svg/onload=window.ran=1>",
    "</title></textarea></style><script>window.ran=1</script>",
    "javascript:window.ran=1//",
    '" autofocus onfocus=window.ran=1 x="',
    "<a href=javascript:window.ran=1>x</a><iframe srcdoc='<script>parent.ran=1</script>'>",
    "<div hx-get=/console/help hx-trigger=load hx-on::load=window.ran=1>x</div>",
)
TEMPLATE = ("{{ 7 * 191 * 7 }}", "{% for x in (1, 2) %}9359{% endfor %}", "${7*191*7}")
CSV = ('=HYPERLINK("//evil.example")', "+1+1", "-1+1", "@SUM(A1)")
PAYLOADS = (*XSS, *TEMPLATE, *CSV)
#: What a line break in an address or a field must not become.
HEADER = "x\r\nX-Injected: 1"


@pytest.fixture(scope="module")
def hostile(service: Running) -> list[str]:
    """One account for each payload, which stands in every field that people or imports fill."""
    now_us = time.time_ns() // 1_000
    made = []
    with service.ledger() as ledger:
        plan = next(iter(ledger.plans_as_of(now_us)))
        for number, text in enumerate(PAYLOADS):
            tenant = f"hostile_{number}"
            labels = ("name", "owner", "segment", "region", "parent_org")
            row = {"tenant_id": tenant, "plan": plan, "created_at": "2024-01-01T00:00:00Z"}
            ledger.put_account(parse_account(row | dict.fromkeys(labels, text)), author=text)
            who = {"author": text, "now_us": now_us}
            ledger.add_note(tenant, text, **who)  # type: ignore[arg-type]
            ledger.add_tasks(
                [tenant], text, due_us=now_us - DAY_US, assignee=text, author=text, now_us=now_us
            )
            call = Intervention(
                tenant_id=tenant, time_us=now_us, known_us=now_us, kind="call", note=text
            )
            ledger.log_intervention(call, author=text)
            for put in (ledger.add_override, ledger.request_override):
                put(
                    tenant, OverrideKind.EXEMPT, author=text, reason=text, now_us=now_us,
                    expires_us=now_us + DAY_US,
                )  # fmt: skip
            ledger.add_feedback(
                tenant, Subject.CHURN, Verdict.TOO_HIGH, reason=text, author=text, now_us=now_us,
                decision_id=text, model_version=text, probability=0.5, served_arm=100,
            )  # fmt: skip
            made.append(tenant)
    return made


@pytest.fixture
def page(visit: Visit) -> Iterator[Page]:
    """An administrator's page; a dialog or an injected header fails the test."""
    opened, wrong = visit("ann"), list[str]()

    def dialog(asked: Dialog) -> None:
        wrong.append(f"a dialog: {asked.message}")
        asked.dismiss()

    def headers(got: Response) -> None:
        if "x-injected" in got.headers:
            wrong.append(f"a header of theirs from {got.url}")

    opened.on("dialog", dialog)
    opened.on("response", headers)
    yield opened
    assert wrong == []


def harmless(page: Page) -> None:
    """Nothing ran, nothing was computed, nothing of theirs became an element or an address."""
    assert page.evaluate("window.ran") is None, page.url
    assert "9359" not in page.locator("body").inner_text().replace("}9359{", ""), page.url
    assert page.locator("iframe, svg[onload], [onerror], [onfocus], [hx-on\\:\\:load]").count() == 0
    assert page.locator("a[href^='javascript'], script:not([src])").count() == 0


def seen(page: Page, address: str) -> None:
    """Open an address of ours and look."""
    got = page.goto(address, wait_until="domcontentloaded")
    assert got is not None
    assert got.status < 500, address
    harmless(page)


def test_stored_text_is_text_on_every_page(page: Page, hostile: list[str]) -> None:
    time.sleep(1.5)  # the list follows the ledger within a second
    seen(page, "/console/?size=200&sort=account")
    for text in (*XSS, *TEMPLATE):
        assert page.get_by_text(text, exact=True).count() > 0, text
    links = page.locator("nav.nav a, main a[href^='/console/'], .menu a").evaluate_all(
        "found => found.map(link => link.getAttribute('href'))"
    )
    # Every section, and what its own pages lead to; accounts come below.
    sections = page.locator("nav.nav a").evaluate_all(
        "found => found.map(link => link.getAttribute('href'))"
    )
    assert set(sections) <= set(links)
    todo, done = [*sections, "/console/help"], set[str]()
    while todo:
        address = todo.pop()
        if address in done or "/accounts/" in address or address.endswith(".csv"):
            continue
        done.add(address)
        seen(page, address)
        if address != "/console/" and "?" not in address:
            todo += page.locator("main a[href^='/console/']:not([download])").evaluate_all(
                "found => found.map(a => a.getAttribute('href')).filter(a => !a.includes('?'))"
            )
    assert "/console/approvals" in done
    for tenant in hostile:
        seen(page, f"/console/accounts/{tenant}")
    for form in ("override", "notes", "tasks", "contacts", "feedback"):
        for tenant in (hostile[0], hostile[3]):
            seen(page, f"/console/accounts/{tenant}/{form}")
    seen(page, "/console/bulk?" + urlencode([("tenant", name) for name in hostile]))


def test_what_an_address_says_is_text(page: Page, hostile: list[str]) -> None:
    fields = ("q", "owner", "plan", "segment", "region", "risk", "sort", "cols", "page", "tenant")
    for text in (*XSS, *TEMPLATE[:1], HEADER):
        seen(page, "/console/?" + urlencode(dict.fromkeys(fields, text)))
        seen(page, "/console/bulk?" + urlencode({"tenant": text}))
    for text in (XSS[1], HEADER):
        seen(page, "/console/sign-in?" + urlencode({"next": text}))
        seen(page, "/console/accounts/" + urlencode({"": text})[1:])
