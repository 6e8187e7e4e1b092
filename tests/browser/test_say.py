"""A say in it, in a real browser against the real service: from a form to the gateway's answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Answer, Running, Visit, accessible, seconds_until
from tests.browser.population import flyball

Shot = Callable[[Page, str], None]
REACHES_WITHIN_SECONDS = 2.0


@pytest.mark.parametrize("javascript", [True, False])
def test_an_override_reaches_the_gateway_within_two_seconds_and_can_be_undone(
    visit: Visit, accounts: list[str], answer: Answer, shot: Shot,
    service: Running, javascript: bool,
) -> None:  # fmt: skip
    tenant = accounts[0 if javascript else 1]
    page = visit("amara", javascript=javascript)
    page.goto(f"/console/accounts/{tenant}")
    page.get_by_role("link", name="Override").click()
    if javascript:
        accessible(page)
        shot(page, "say-override")
    page.get_by_role("radio", name="Force ×1.00").check()
    page.get_by_label("Reason").fill("They escalated to the board")
    page.get_by_role("button", name="Set the override").click()
    expect(page.get_by_role("status").first).to_contain_text("The override is set")
    took = seconds_until(lambda: "override_force" in answer(tenant)["reasons"])
    assert took <= REACHES_WITHIN_SECONDS
    assert answer(tenant)["dynamicMultiplier"] == 1.0
    expect(page.get_by_text("They escalated to the board").first).to_be_visible()
    if javascript:
        accessible(page)
        shot(page, "say-account")
    with service.ledger() as ledger:
        assert ledger.audit(target=tenant)[0].action == "override.add"
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_role("status").first).to_contain_text("has ended")
    took = seconds_until(lambda: "override_force" not in answer(tenant)["reasons"])
    assert took <= REACHES_WITHIN_SECONDS


def test_a_chosen_multiplier_waits_for_another_person(
    visit: Visit, accounts: list[str], answer: Answer, shot: Shot
) -> None:
    tenant = accounts[2]
    page = visit("amara")
    page.goto(f"/console/accounts/{tenant}/override")
    page.get_by_role("radio", name="Choose a multiplier").check()
    page.get_by_label("Multiplier, if you choose one").select_option("1.15")
    page.get_by_label("Reason").fill("Launch week, agreed on the phone")
    page.get_by_role("button", name="Set the override").click()
    expect(page.get_by_role("status").first).to_contain_text("another lead")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    lead = visit("lin")
    lead.goto("/console/approvals")
    accessible(lead)
    shot(lead, "say-approvals")
    lead.get_by_role("row", name=re.compile("Launch week")).get_by_role(
        "button", name="Approve"
    ).click()
    expect(lead.get_by_role("status").first).to_contain_text("Approved")
    took = seconds_until(lambda: "override_choose" in answer(tenant)["reasons"])
    assert took <= REACHES_WITHIN_SECONDS


@pytest.mark.parametrize("javascript", [True, False])
def test_notes_tasks_calls_and_feedback_are_on_the_page_and_in_the_list(
    visit: Visit, accounts: list[str], service: Running, shot: Shot, javascript: bool
) -> None:
    tenant = accounts[3 if javascript else 4]
    address = f"/console/accounts/{tenant}"
    page = visit("amara", javascript=javascript)
    page.goto(f"{address}/notes")
    page.get_by_label("What should colleagues know?").fill("New CTO.\nLikes dashboards.")
    _looked_at(page, javascript)
    page.get_by_role("button", name="Keep the note").click()
    expect(page.get_by_text("Likes dashboards.").first).to_be_visible()
    page.goto(f"{address}/tasks")
    page.get_by_label("What should be done?").fill("Call the new CTO")
    _looked_at(page, javascript)
    page.get_by_role("button", name="Keep the task").click()
    page.get_by_role("link", name="Change: Call the new CTO").click()
    _looked_at(page, javascript)
    page.get_by_label("What should be done?").fill("Call the new CTO, Mo")
    page.get_by_role("button", name="Change the task").click()
    expect(page.get_by_role("status").first).to_contain_text("The task is changed")
    page.get_by_role("button", name="Done: Call the new CTO, Mo").click()
    page.get_by_role("button", name="Open again: Call the new CTO, Mo").click()
    page.goto(f"{address}/contacts")
    page.get_by_label("What was it?").select_option("discount")
    page.get_by_label("What came of it?").fill("10 % until March")
    _looked_at(page, javascript)
    page.get_by_role("button", name="Log it").click()
    page.goto(f"{address}/feedback")
    page.get_by_label("What about it?").select_option("too_high")
    page.get_by_label("How do you know?").fill("They renewed by phone")
    _looked_at(page, javascript)
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("status").first).to_contain_text("data scientist")
    logged = page.locator("#timeline").locator("..").locator("tr", has_text="10 % until March")
    expect(logged).to_contain_text("amara")
    _looked_at(page, javascript)
    if javascript:
        shot(page, "say-written")
    page.goto("/console/?task=open")
    expect(page.get_by_text("Call the new CTO, Mo").first).to_be_visible()
    with service.ledger() as ledger:
        assert [item.kind for item in ledger.interventions(tenant)][-1:] == ["discount"]
    records = [
        json.loads(line) for line in flyball(service.home, "feedback", "--json").splitlines()
    ]
    (mine,) = [item for item in records if item["tenantId"] == tenant]
    assert (mine["verdict"], mine["author"]) == ("too_high", "amara")
    assert 0.0 <= mine["probability"] <= 1.0


def test_what_is_wrong_is_told_beside_the_field(visit: Visit, accounts: list[str]) -> None:
    page = visit("amara", width=390)
    page.goto(f"/console/accounts/{accounts[5]}/override")
    # The browser would stop an empty form itself; the server must not rely on it.
    page.evaluate("document.querySelector('form.panel').noValidate = true")
    page.get_by_role("button", name="Set the override").click()
    expect(page.get_by_text("Choose one of the four.")).to_be_visible()
    accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("javascript", [True, False])
def test_ticked_accounts_get_a_task_and_an_owner(
    visit: Visit, shot: Shot, javascript: bool
) -> None:
    title = f"Quarterly review {javascript}"
    page = visit("lin", javascript=javascript)
    page.goto("/console/?owner=bjorn&sort=account")
    boxes = page.locator("[data-select]")
    if javascript:
        accessible(page)
        page.get_by_label("Tick all on this page").check()
        expect(boxes.nth(2)).to_be_checked()
        page.get_by_label("Tick all on this page").uncheck()
    else:
        expect(page.locator("[data-select-all]")).to_be_hidden()
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_role("button", name="Owner or task").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 accounts")
    if javascript:
        accessible(page)
        shot(page, "say-bulk")
    page.get_by_label("What should be done?").fill(title)
    page.get_by_label("Who does it?").select_option("bjorn")
    page.get_by_role("button", name="Keep the tasks").click()
    expect(page.get_by_role("status").first).to_contain_text("2 tasks for bjorn")
    if javascript:
        page.goto("/console/?owner=bjorn&sort=account")
        page.locator("[data-select]").nth(0).check()
        page.get_by_role("button", name="Owner or task").click()
        page.get_by_label("Owner").select_option("lin")
        page.get_by_role("button", name="Give them this owner").click()
        expect(page.get_by_role("status").first).to_contain_text("1 account went to lin")


def _looked_at(page: Page, javascript: bool) -> None:
    if javascript:
        accessible(page)
