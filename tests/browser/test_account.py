"""One account's page in a real browser: looked at in both themes, narrow, by keys, scriptless."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, accessible

Shot = Callable[[Page, str], None]
#: Where the focus is: its place in the document, its name, and whether one can see it.
_FOCUS = """() => {
  const at = document.activeElement, box = at.getBoundingClientRect();
  const all = [...document.querySelectorAll('*')];
  const style = getComputedStyle(at);
  const shown = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
  const ring = style.outlineStyle !== 'none' || style.boxShadow !== 'none';
  return [all.indexOf(at), at.tagName, (at.textContent || '').trim().slice(0, 40), shown && ring];
}"""


def first_account(page: Page) -> str:
    """The address of the account that needs attention most."""
    page.goto("/console/")
    return page.locator("[data-open]").first.get_attribute("href") or ""


def headings(page: Page) -> list[str]:
    return page.get_by_role("heading", level=2).all_inner_texts()


@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]
)
def test_the_page_is_accessible_and_looked_at(
    visit: Visit, shot: Shot, theme: str, width: int
) -> None:
    page = visit("ann", theme=theme, width=width)
    page.goto(first_account(page))
    accessible(page)
    shot(page, f"account-{theme}-{width}")
    # A narrow page scrolls down, never sideways.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_without_scripts_the_page_says_the_same(visit: Visit) -> None:
    page, bare = visit("ann"), visit("ann", javascript=False)
    address = first_account(page)
    page.goto(address)
    bare.goto(address)
    assert headings(bare) == headings(page)
    assert bare.locator("p.lead").inner_text() == page.locator("p.lead").inner_text()
    assert bare.locator("svg.chart").count() == page.locator("svg.chart").count()
    # A chart's numbers are behind a summary that needs no script.
    opener = bare.locator("main details > summary").first
    opener.click()
    expect(bare.locator("main details[open]").first).to_be_visible()


def test_it_opens_from_the_list_by_keys_and_is_walked_through_in_reading_order(
    visit: Visit,
) -> None:
    page = visit("ann")
    page.goto("/console/")
    page.keyboard.press("j")
    name = page.locator("[data-open]").first.inner_text()
    page.keyboard.press("o")
    page.wait_for_url(re.compile("/console/accounts/"))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.keyboard.press("Tab")
    walked = [page.evaluate(_FOCUS)]
    assert "Skip to content" in walked[0][2]
    for _ in range(200):
        page.keyboard.press("Tab")
        here = page.evaluate(_FOCUS)
        if here[1] in ("BODY", "HTML") or here[0] <= walked[-1][0]:
            break
        walked.append(here)
    assert len(walked) > 8
    assert here[1] in ("BODY", "HTML") or here[0] == walked[0][0], f"the order turns back at {here}"
    assert [seen[1:3] for seen in walked if not seen[3]] == [], "focus that nobody can see"


def test_somebody_elses_account_reads_as_one_that_is_not_there(visit: Visit) -> None:
    page = visit("amara")
    mine = visit("bjorn")
    foreign = first_account(mine)
    told = []
    for address in (foreign, "/console/accounts/nobody-at-all"):
        page.goto(address)
        told.append(page.locator("main").inner_text())
    assert told[0] == told[1]
    accessible(page)
