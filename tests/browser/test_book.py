"""My accounts in a real browser: with and without scripts, by keys, narrow and wide."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Running, Visit, accessible
from tests.browser.population import PASSWORD

Shot = Callable[[Page, str], None]


def names(page: Page) -> list[str]:
    return page.locator("[data-row] [data-open]").all_inner_texts()


def test_signing_in_leads_back_to_where_one_wanted_to_go(visit: Visit) -> None:
    page = visit(None)
    page.goto("/console/?risk=high")
    expect(page).to_have_url(re.compile(r"/console/sign-in\?next="))
    accessible(page)
    page.get_by_label("Login").fill("ann")
    page.get_by_label("Password").fill("wrong horse battery")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("do not fit together")
    accessible(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/?risk=high")
    assert names(page)


def test_signing_out_ends_it(visit: Visit, service: Running, cookies: dict[str, object]) -> None:
    page = visit("lin")
    page.goto("/console/")
    page.locator("details.menu > summary").click()
    accessible(page)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/console/sign-in")
    page.goto("/console/")
    page.wait_for_url("**/console/sign-in")
    del cookies[f"lin at {service.console}"]


@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]
)
def test_the_list_is_accessible_and_looked_at(
    visit: Visit, shot: Shot, theme: str, width: int
) -> None:
    page = visit("ann", theme=theme, width=width)
    page.goto("/console/?size=25")
    assert len(names(page)) == 25
    accessible(page)
    shot(page, f"book-{theme}-{width}")
    # A narrow page scrolls down, never sideways.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.goto("/console/help")
    accessible(page)


#: The longest that people write: logins that are addresses, titles of tasks, amounts.
_AS_LONG_AS_IT_GETS = """() => {
  const label = (name) => document.querySelectorAll(`td[data-label="${name}"]`);
  for (const cell of label("Owner")) cell.textContent = "maximiliane.oberhauser@example.com";
  for (const name of ["Multiplier", "Last touch"]) for (const cell of label(name))
    cell.innerHTML = '<span class="arm room">×1.15 <span class="arm-word">more room</span></span>' +
      '<span class="sub">by maximiliane.oberhauser@example.com until 26 Nov 2026</span>';
  for (const cell of label("Open task")) { cell.className = "wrap";
    cell.innerHTML = '<span class="clamp">Call about the seats that they asked for</span>' +
      '<span class="sub">due 26 Nov 2026, 3 more</span>'; }
  for (const cell of label("Why")) cell.textContent = "Person's choice, limited";
}"""


def test_every_usual_column_fits_a_laptop_and_a_narrower_table_keeps_the_accounts_in_sight(
    visit: Visit, shot: Shot
) -> None:
    page = visit("ann", width=1440)
    page.goto("/console/?size=25")
    table = page.get_by_role("region", name="Accounts, table")
    page.evaluate(_AS_LONG_AS_IT_GETS)
    assert page.locator("th[scope=col]").last.inner_text() == "Data"
    assert table.evaluate("it => it.scrollWidth <= it.clientWidth")
    shot(page, "book-full-1440")
    page.set_viewport_size({"width": 1024, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    # What does not fit is scrolled inside the table, beside the account's name.
    table.evaluate("it => { it.scrollLeft = it.scrollWidth }")
    box, edge = page.locator("[data-open]").first.bounding_box(), table.bounding_box()
    assert box is not None
    assert edge is not None
    assert edge["x"] <= box["x"] < edge["x"] + 120
    shot(page, "book-full-1024")


@pytest.mark.parametrize("javascript", [True, False])
def test_searching_filtering_sorting_and_paging(visit: Visit, javascript: bool) -> None:
    page = visit("ann", javascript=javascript)
    page.goto("/console/")
    everything = names(page)
    page.get_by_role("link", name="ARR").click()
    expect(page.locator("th[aria-sort=descending]")).to_have_text("ARR ↓")
    assert names(page) != everything
    page.get_by_role("combobox", name="Churn risk").select_option("High")
    if not javascript:
        page.get_by_role("button", name="Filter", exact=True).click()
    expect(page).to_have_url(re.compile("risk=high.*sort=-arr"))
    expect(page.locator(".churn-high").first).to_be_visible()
    assert page.locator("[data-row] .churn-low").count() == 0
    page.goto("/console/?size=25")
    first = names(page)
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(re.compile("page=2"))
    assert not set(first) & set(names(page))
    one = first[0]
    page.get_by_role("searchbox").fill(one)
    if not javascript:
        page.keyboard.press("Enter")
    expect(page.locator("[data-row] [data-open]")).to_have_text([one])
    page.get_by_role("searchbox").fill("nobody is called so")
    if not javascript:
        page.keyboard.press("Enter")
    expect(page.get_by_text("No account fits")).to_be_visible()
    if javascript:
        accessible(page)


def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = visit("ann")
    page.goto("/console/")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    for _ in range(2):
        page.keyboard.press("j")
    expect(page.locator("[data-row]").nth(1)).to_have_class("current")
    expect(page.locator("[data-open]").nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("[data-open]").nth(0)).to_be_focused()
    target = page.locator("[data-open]").nth(0).get_attribute("href")
    page.keyboard.press("o")
    page.wait_for_url(f"**{target}")
    page.go_back()
    page.keyboard.press("?")
    page.wait_for_url("**/console/help")


@pytest.mark.parametrize("javascript", [True, False])
def test_columns_are_chosen_and_kept_in_the_address(visit: Visit, javascript: bool) -> None:
    page = visit("ann", javascript=javascript)
    page.goto("/console/?risk=low")
    page.get_by_text("Columns", exact=True).click()
    if javascript:
        accessible(page)
    page.get_by_role("checkbox", name="Seats").check()
    page.get_by_role("checkbox", name="Why").uncheck()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("columnheader", name="Seats")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Why")).to_have_count(0)
    assert "risk=low" in page.url


@pytest.mark.parametrize("javascript", [True, False])
def test_a_view_is_kept_shared_and_filled_with_what_each_may_see(
    visit: Visit, javascript: bool
) -> None:
    name = f"Calm ones {javascript}"
    page = visit("lin", javascript=javascript)
    page.goto("/console/?risk=low&sort=account")
    page.get_by_text("Keep this view", exact=True).click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("checkbox", name="Share it").check()
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("status").first).to_contain_text(f"View “{name}” is kept")
    everybody = names(page)
    other = visit("amara", javascript=javascript)
    other.goto("/console/")
    other.get_by_role("link", name=name).click()
    expect(other).to_have_url(re.compile("risk=low"))
    assert set(other.locator("td[data-label=Owner]").all_inner_texts()) == {"amara"}
    assert len(everybody) > 0
    page.get_by_text("Keep this view", exact=True).click()
    page.get_by_role("button", name=f"Delete “{name}”").click()
    expect(page.get_by_role("link", name=name)).to_have_count(0)


def test_the_theme_is_switched_without_scripts(visit: Visit) -> None:
    page = visit("ann", javascript=False)
    page.goto("/console/?risk=high")
    page.locator("details.menu > summary").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert "risk=high" in page.url


def test_an_export_has_what_the_view_has(visit: Visit) -> None:
    page = visit("amara")
    page.goto("/console/?sort=account")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export this view").click()
    text = download.value.path().read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["account"] for row in rows][: len(names(page))] == names(page)
    assert {row["owner"] for row in rows} == {"amara"}
    assert all(0.0 <= float(row["churn_28_days"]) <= 1.0 for row in rows)
