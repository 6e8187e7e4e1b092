"""Administration in a real browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Running, Visit, accessible
from tests.browser.population import PASSWORD

Shot = Callable[[Page, str], None]
PAGES = {
    "users": "/console/users", "audit": "/console/audit", "guardrails": "/console/guardrails",
    "kill": "/console/kill",
}  # fmt: skip


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 1440), ("light", 390)])
def test_administration_is_accessible_and_looked_at(
    visit: Visit, shot: Shot, theme: str, width: int
) -> None:
    page = visit("ann", theme=theme, width=width)
    for name, address in PAGES.items():
        page.goto(address)
        accessible(page)
        shot(page, f"{name}-{theme}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name


@pytest.mark.parametrize("javascript", [True, False])
def test_letting_somebody_in(visit: Visit, javascript: bool) -> None:
    login = f"kim-{int(javascript)}"
    page = visit("ann", javascript=javascript)
    page.goto("/console/users")
    page.get_by_label("Login").fill(login)
    page.get_by_label("Sees").fill("everything")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Let them in").click()
    expect(page.get_by_role("alert")).to_contain_text("does not say which tenants")
    page.get_by_label("Sees").fill("owner=amara")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Let them in").click()
    expect(page.get_by_role("status").first).to_contain_text("may sign in")
    theirs = visit(login)
    theirs.goto("/console/portfolio?by=owner")
    parts = theirs.get_by_role("region", name="Portfolio by owner, table").locator("tbody th")
    expect(parts).to_have_text(["amara"])


def test_guardrails_are_changed_by_keys_with_a_reason(visit: Visit, service: Running) -> None:
    page = visit("ann")
    page.goto("/console/guardrails")
    field = page.get_by_label("Largest share of a segment under friction")
    before = field.input_value()
    field.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("7")
    page.get_by_label("Why").fill("A look at errors")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("must lie in")
    accessible(page)
    page.get_by_label("Largest share of a segment under friction").fill(before)
    page.get_by_label("Before a term contract renews").press("Space")
    page.get_by_label("Why").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("is in force")
    with service.ledger() as ledger:
        found = ledger.setting("guardrails")
    assert found is not None
    assert (found.author, found.reason) == ("ann", "A look at errors")
    shown = visit("vic")
    shown.goto("/console/guardrails")
    expect(shown.get_by_text("“A look at errors”")).to_be_visible()
    expect(shown.get_by_role("button", name="Put in force")).to_have_count(0)
