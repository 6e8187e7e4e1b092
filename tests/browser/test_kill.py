"""The kill switch in a real browser: asked twice, in the gateway's next answers, on every page.

The service is this module's own: once the switch was on, multipliers stay at ×1 until their next
period, which other tests would notice.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    Answer,
    Running,
    Visit,
    accessible,
    names_of,
    seconds_until,
    served,
)
from tests.browser.population import now_us
from tests.unit.console.routes import pages

REACHES_WITHIN_SECONDS = 2.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with served(tmp_path_factory.mktemp("killed")) as running:
        yield running


def test_the_switch_asks_twice_and_reaches_the_gateway_and_every_page(
    visit: Visit, service: Running, answer: Answer
) -> None:
    with service.ledger() as ledger:
        everybody = ledger.accounts_as_of(now_us())
    # The first answers after a start may still be the plan's.
    seconds_until(lambda: answer(next(iter(everybody)))["source"] == "fresh", most=60.0)
    moved = next(name for name in everybody if answer(name)["dynamicMultiplier"] != 1.0)
    page = visit("ann")
    page.goto("/console/kill")
    expect(page.locator(".killed")).to_have_count(0)
    turn_on(page)
    took = seconds_until(lambda: answer(moved)["dynamicMultiplier"] == 1.0)
    assert took <= REACHES_WITHIN_SECONDS
    assert "kill_switch" in answer(moved)["reasons"]
    assert service.home.kill.exists()
    # Every page says so, to everybody; the account's does not claim what is not served.
    for address in pages(names_of(service, moved)):
        page.goto(address)
        expect(page.locator(".killed")).to_contain_text("Customers complain")
        expect(page.locator(".killed")).to_contain_text("Turned on by ann")
    page.goto(f"/console/accounts/{moved}")
    expect(page.locator("p.lead").first).to_contain_text("Your limit is your plan's")
    accessible(page)
    viewer = visit("vic", theme="dark", width=390)
    viewer.goto("/console/")
    expect(viewer.locator(".killed")).to_be_visible()
    expect(viewer.get_by_role("link", name="Turn it off")).to_have_count(0)
    accessible(viewer)
    page.get_by_role("link", name="Turn it off").click()
    turn_off(page, service)
    # The way back is as for every safety rule: away from ×1 only when a period begins.
    assert answer(moved)["dynamicMultiplier"] == 1.0
    expect(page.locator(".killed")).to_have_count(0)


def test_the_switch_works_without_scripts(visit: Visit, service: Running) -> None:
    page = visit("ann", javascript=False)
    page.goto("/console/kill")
    turn_on(page)
    expect(page.locator(".killed")).to_be_visible()
    turn_off(page, service)


def turn_on(page: Page) -> None:
    page.get_by_label("Why").fill("Customers complain")
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("alert")).to_have_text("Tick the box to confirm.")
    page.get_by_label("Yes, set every multiplier to ×1").check()
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("heading", name="It is on")).to_be_visible()


def turn_off(page: Page, service: Running) -> None:
    page.get_by_label("Why").fill("It was the network")
    page.get_by_label("Yes, let decisions count again").check()
    page.get_by_role("button", name="Turn it off").click()
    expect(page.get_by_role("heading", name="It is off")).to_be_visible()
    assert not service.home.kill.exists()
    page.goto("/console/audit?q=network")
    expect(page.locator("table.list tbody tr").first).to_contain_text("kill.off")
    page.goto("/console/kill")
