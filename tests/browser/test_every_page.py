"""Every page that the router has, refused forms, errors and empty states, judged by axe-core."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, Route
from starlette.testclient import TestClient

from console.application import create_console
from console.desk import Desk
from flyball.errors import StorageError
from tests.browser.conftest import Running, Visit, accessible, names_of
from tests.unit.console.conftest import desk, stored_password
from tests.unit.console.routes import pages

__all__ = ["desk", "stored_password"]
#: Both colours and both widths; what each page's own tests look at is not repeated.
WINDOWS = (("light", 1440), ("dark", 390))
#: Empties every field of a form, and sends it in spite of what the browser would say.
_SEND_EMPTY = """form => {
  form.closest("details")?.setAttribute("open", "");
  form.noValidate = true;
  for (const field of form.querySelectorAll("input, textarea, select")) {
    if (field.type === "hidden") continue;
    if (field.type === "checkbox" || field.type === "radio") field.checked = false;
    else field.value = "";
  }
  // After this call is over, so that its answer is not lost with the page.
  setTimeout(() => form.requestSubmit());
}"""
_ASKING = "main form[method=post]:has([required])"


@pytest.fixture
def addresses(service: Running, accounts: list[str]) -> list[str]:
    """Every page of the router, and what was ticked in the list."""
    with service.ledger() as ledger:
        here = [name for name in accounts if "churned" not in
                {event.kind for event in ledger.subscriptions(name)}]  # fmt: skip
    names = names_of(service, here[-1])
    return [*pages(names), f"/console/bulk?tenant={here[-1]}&tenant={here[-2]}"]


def fits(page: Page) -> bool:
    """A page scrolls down, never sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize(("theme", "width"), WINDOWS)
def test_every_page_is_accessible_and_fits(
    visit: Visit, addresses: list[str], theme: str, width: int
) -> None:
    page = visit("ann", theme=theme, width=width)
    for address in addresses:
        got = page.goto(address)
        assert got is not None
        assert got.status == 200, address
        accessible(page)
        assert fits(page), address
    stranger = visit(None, theme=theme, width=width)
    stranger.goto("/console/sign-in")
    accessible(stranger)


def test_every_page_says_the_same_without_scripts(visit: Visit, addresses: list[str]) -> None:
    page, bare = visit("ann"), visit("ann", javascript=False)
    for address in addresses:
        told = []
        for reader in (page, bare):
            reader.goto(address)
            told.append(reader.locator("h1, h2, label, main button").all_inner_texts())
        assert told[0] == told[1], address
        assert told[0], address


@pytest.mark.parametrize(("theme", "width"), WINDOWS)
def test_every_form_that_is_refused_says_so_and_stays_accessible(
    visit: Visit, addresses: list[str], theme: str, width: int
) -> None:
    page, refused = visit("ann", theme=theme, width=width), set[str]()
    for address in addresses:
        page.goto(address)
        for number in range(page.locator(_ASKING).count()):
            page.goto(address)
            form = page.locator(_ASKING).nth(number)
            to = form.get_attribute("action") or ""
            with page.expect_navigation() as sent:
                form.evaluate(_SEND_EMPTY)
            assert sent.value is not None
            assert sent.value.status == 422, (address, to)
            accessible(page)
            assert fits(page), (address, to)
            refused.add(to)
    assert len(refused) >= 10, refused


@pytest.mark.parametrize(("theme", "width"), WINDOWS)
def test_pages_that_say_no_are_accessible(
    visit: Visit, desk: Desk, accounts: list[str], theme: str, width: int
) -> None:
    page = visit("vic", theme=theme, width=width)
    for address, status in (
        ("/console/users", 403), ("/console/nothing", 404), ("/console/accounts/nobody", 404),
        ("/console/views", 405),
    ):  # fmt: skip
        got = page.goto(address)
        assert got is not None
        assert got.status == status, address
        accessible(page)
        assert fits(page)
    page.goto("/console/help")
    page.evaluate("document.querySelector('.menu form [name=csrf]').value = 'old'")
    page.locator("details.menu > summary").click()
    page.get_by_role("button", name="Dark").click()
    page.get_by_role("heading", name="This form is too old").wait_for()
    accessible(page)
    for error, heading in (
        (StorageError("The file is gone.", "Look for it."), "The data cannot be read just now"),
        (ZeroDivisionError(), "Something broke on our side"),
    ):
        html = _said_of(create_console(desk), error)
        page.route("**/console/broken", _answering(html))
        page.goto("/console/broken")
        page.get_by_role("heading", name=heading).wait_for()
        accessible(page)
        page.unroute("**/console/broken")


def _said_of(application: FastAPI, error: Exception) -> str:
    """The page that the console makes of an error."""

    def broken() -> None:
        raise error

    application.add_api_route("/console/broken", broken)
    client = TestClient(application, "http://127.0.0.1", raise_server_exceptions=False)
    answer = client.get("/console/broken")
    assert answer.status_code in (500, 503)
    return answer.text


def _answering(body: str) -> Callable[[Route], None]:
    def given(route: Route) -> None:
        route.fulfill(body=body, content_type="text/html; charset=utf-8")

    return given


@pytest.mark.parametrize(("theme", "width"), WINDOWS)
def test_pages_with_nothing_on_them_say_why(visit: Visit, theme: str, width: int) -> None:
    page = visit("noa", theme=theme, width=width)
    for address, words in (
        ("/console/", "No accounts are yours to see"),
        ("/console/portfolio", "No accounts to add up"),
        ("/console/approvals", ""), ("/console/today", ""), ("/console/digest", ""),
        ("/console/model", "No month to judge yet"),
    ):  # fmt: skip
        page.goto(address)
        if words:
            assert page.get_by_text(words).count() > 0, address
        accessible(page)
        assert fits(page), address
    page = visit("ann", theme=theme, width=width)
    for address in ("/console/?q=nobody+is+called+so", "/console/audit?q=nobody+did+this"):
        page.goto(address)
        page.locator(".empty").wait_for()
        accessible(page)
