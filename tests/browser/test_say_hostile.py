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
from tests.browser.conftest import Running, Visit, names_of
from tests.unit.console.hostile import HEADER, PAYLOADS, TEMPLATE, XSS
from tests.unit.console.routes import pages


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


def test_stored_text_is_text_on_every_page(
    page: Page, hostile: list[str], service: Running
) -> None:
    time.sleep(1.5)  # the list follows the ledger within a second
    seen(page, "/console/?size=200&sort=account")
    for text in (*XSS, *TEMPLATE):
        assert page.get_by_text(text, exact=True).count() > 0, text
    # Every page of the router, and those of each hostile account.
    done = set[str]()
    for number, tenant in enumerate(hostile):
        found = pages(names_of(service, tenant))
        # Their forms say no more than the account's own page: two accounts' are enough.
        for address in found if number in (0, 3) else [f"/console/accounts/{tenant}"]:
            if address not in done:
                done.add(address)
                seen(page, address)
    seen(page, "/console/bulk?" + urlencode([("tenant", name) for name in hostile]))


def test_what_an_address_says_is_text(page: Page, hostile: list[str]) -> None:
    fields = ("q", "owner", "plan", "segment", "region", "risk", "sort", "cols", "page", "tenant")
    for text in (*XSS, *TEMPLATE[:1], HEADER):
        seen(page, "/console/?" + urlencode(dict.fromkeys(fields, text)))
        seen(page, "/console/bulk?" + urlencode({"tenant": text}))
    for text in (XSS[1], HEADER):
        seen(page, "/console/sign-in?" + urlencode({"next": text}))
        seen(page, "/console/accounts/" + urlencode({"": text})[1:])


#: Writes a text into every field of a form, chosen and hidden ones too, and sends it.
_FILL = """(form, text) => {
  form.noValidate = true;
  for (const field of form.querySelectorAll("input, select, textarea")) {
    if (field.name === "csrf") continue;
    if (field.tagName === "SELECT") field.append(new Option(text, text, true, true));
    else if (field.type === "radio" || field.type === "checkbox") {
      field.value = text;
      field.checked = true;
    } else {
      if (field.tagName === "INPUT") field.type = "text";
      field.removeAttribute("maxlength");
      field.value = text;
    }
  }
  setTimeout(() => form.requestSubmit());
}"""


def test_what_any_form_refuses_or_keeps_is_text(
    page: Page, hostile: list[str], service: Running
) -> None:
    # What each payload does by itself is tried field by field without a browser.
    text, sent = " ".join((*XSS, *TEMPLATE)) + HEADER, set[str]()
    for address in pages(names_of(service, hostile[0])):
        page.goto(address, wait_until="domcontentloaded")
        for number in range(page.locator("main form").count()):
            page.goto(address, wait_until="domcontentloaded")
            form = page.locator("main form").nth(number)
            if form.count() == 0:
                continue  # the form before has done away with this one
            to = form.get_attribute("action") or address
            if to in sent:
                continue
            sent.add(to)
            with page.expect_navigation(wait_until="domcontentloaded") as answered:
                form.evaluate(_FILL, text)
            # Nothing, where a script has put the answer into the page that is there.
            assert answered.value is None or answered.value.status < 500, to
            harmless(page)
    assert len(sent) >= 14, sent
