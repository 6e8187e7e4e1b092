"""Signing in through an identity provider, in a real browser against a provider's process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import accessible
from tests.integration.console_sign_in.conftest import Entrance, entrance, issuer

__all__ = ["entrance", "issuer"]


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def javascript(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def page(entrance: Entrance, chromium: Browser, javascript: bool) -> Iterator[Page]:
    """A browser that nobody has signed in with."""
    context = chromium.new_context(
        base_url=entrance.console, java_script_enabled=javascript,
        viewport={"width": 1440, "height": 900},
    )  # fmt: skip
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    yield opened
    context.close()
    entrance.settle()


def through_the_provider(page: Page, entrance: Entrance, subject: str) -> None:
    page.get_by_role("link", name="Sign in with Acme ID").click()
    page.wait_for_url(f"{entrance.issuer}/**")
    page.get_by_label("Subject").fill(subject)
    page.get_by_role("button", name="Go on").click()


def test_a_known_person_comes_in_where_they_wanted_to_go(
    page: Page, entrance: Entrance, javascript: bool
) -> None:
    page.goto("/console/?risk=low")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    if javascript:
        accessible(page)
    through_the_provider(page, entrance, "00-ann")
    page.wait_for_url(f"{entrance.console}/console/?risk=low")
    expect(page.get_by_role("heading", level=1)).to_have_text("My accounts")


def test_a_stranger_is_told_who_the_provider_says_they_are(
    page: Page, entrance: Entrance, javascript: bool
) -> None:
    page.goto("/console/sign-in")
    through_the_provider(page, entrance, "00-new")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in")
    expect(page.locator("main")).to_contain_text(f"{entrance.issuer}|00-new")
    if javascript:
        accessible(page)
    page.goto("/console/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_who_declines_at_the_provider_stays_outside(page: Page, entrance: Entrance) -> None:
    page.goto("/console/sign-in")
    through_the_provider(page, entrance, "declines")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in")
    page.get_by_role("link", name="Back to the sign-in page").click()
    expect(page.get_by_label("Login")).to_be_visible()
