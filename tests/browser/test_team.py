"""Views over many accounts in a real browser: read with and without scripts, light and dark."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, accessible

Shot = Callable[[Page, str], None]
PAGES = {
    "portfolio": "/console/portfolio", "owners": "/console/portfolio?by=owner",
    "today": "/console/today?days=7", "model": "/console/model",
    "digest": "/console/digest",
}  # fmt: skip


@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]
)
def test_team_views_are_accessible_and_looked_at(
    visit: Visit, shot: Shot, theme: str, width: int
) -> None:
    page = visit("lin", theme=theme, width=width)
    for name, address in PAGES.items():
        page.goto(address)
        accessible(page)
        shot(page, f"{name}-{theme}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name


@pytest.mark.parametrize("javascript", [True, False])
def test_the_portfolio_leads_to_the_accounts_it_adds_up(visit: Visit, javascript: bool) -> None:
    page = visit("lin", javascript=javascript)
    page.goto("/console/portfolio")
    page.get_by_role("link", name="By owner").click()
    row = page.locator("tbody tr").filter(has=page.get_by_role("link", name="amara")).last
    counted = row.locator("td").first.inner_text()
    row.get_by_role("link", name="amara").click()
    expect(page.locator("p.count")).to_contain_text(f"{counted} accounts")


def test_a_manager_sees_the_sum_of_their_own_accounts_only(visit: Visit) -> None:
    page = visit("amara")
    page.goto("/console/portfolio?by=owner")
    parts = page.get_by_role("region", name="Portfolio by owner, table").locator("tbody th")
    expect(parts).to_have_text(["amara"])
