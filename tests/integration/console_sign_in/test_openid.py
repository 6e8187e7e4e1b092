"""Signing in through a provider: two real processes and the way between them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from console.access.visitor import COOKIE
from ledger.users import UserRole
from tests.integration.console_sign_in.conftest import VARIABLE, Browser, Entrance
from tests.integration.console_sign_in.provider import SECRET


@pytest.fixture(autouse=True)
def well_behaved(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in {"entrance", "open_entrance"} & set(request.fixturenames):
        request.getfixturevalue(name).settle()


def test_somebody_known_comes_in_and_back_to_where_they_wanted(entrance: Entrance) -> None:
    browser = Browser(entrance)
    answer = browser.sign_in("00-ann", back="/console/?risk=high")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/?risk=high")
    assert "httponly" in next(
        value for value in answer.headers.get_list("set-cookie") if value.startswith(COOKIE)
    ).lower()  # fmt: skip
    page = browser.client.get("/console/")
    assert page.status_code == 200
    assert "ann · admin" in page.text


def test_the_request_carries_state_nonce_and_a_challenge_each_of_them_new(
    entrance: Entrance,
) -> None:
    asked = [parse_qs(urlsplit(Browser(entrance).begin()).query) for _ in range(2)]
    assert asked[0]["code_challenge_method"] == ["S256"]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
        assert len(asked[0][name][0]) >= 43


@pytest.mark.parametrize("changed", ["", "x" * 43, "ü"])
def test_another_state_leads_nowhere(entrance: Entrance, changed: str) -> None:
    browser = Browser(entrance)
    entrance.control(callback={"state": changed})
    answer = browser.sign_in("00-ann")
    assert answer.status_code == 403
    assert "begun in another window" in answer.text
    assert not browser.inside


def test_a_way_back_serves_only_the_browser_that_set_out_and_only_once(entrance: Entrance) -> None:
    ours, theirs = Browser(entrance), Browser(entrance)
    back = ours.consent(ours.begin(), "00-ann")
    theirs.begin()
    assert theirs.client.get(back).status_code == 403
    assert not theirs.inside
    assert ours.client.get(back).status_code == 303
    assert ours.client.get(back).status_code == 403


@pytest.mark.parametrize(
    "orders",
    [
        {"claims": {"nonce": "another"}},
        {"claims": {"nonce": None}},
        {"claims": {"aud": "another"}},
        {"claims": {"aud": ["flyball", "another"]}},
        {"claims": {"aud": ["flyball", "another"], "azp": "another"}},
        {"claims": {"iss": "https://evil.example"}},
        {"claims": {"exp": 1_700_000_000}},
        {"claims": {"exp": None}},
        {"claims": {"iat": 99_999_999_999}},
        {"claims": {"sub": None}},
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"foreign_key": True},
        {"callback": {"iss": "https://evil.example"}},
    ],
)
def test_a_token_that_is_not_for_us_is_not_believed(
    entrance: Entrance, orders: dict[str, Any]
) -> None:
    browser = Browser(entrance)
    entrance.control(**orders)
    answer = browser.sign_in("00-ann")
    assert answer.status_code == 403
    assert "Back to the sign-in page" in answer.text
    assert not browser.inside
    assert "openid_refused" in entrance.log.read_text()


def test_a_provider_may_change_its_keys_at_any_time(entrance: Entrance) -> None:
    assert Browser(entrance).sign_in("00-ann").status_code == 303
    for _ in range(2):
        entrance.control(rotate=True)
        assert Browser(entrance).sign_in("00-ann").status_code == 303


def test_several_audiences_are_fine_when_we_are_the_authorized_party(entrance: Entrance) -> None:
    entrance.control(claims={"aud": ["another", "flyball"], "azp": "flyball"})
    assert Browser(entrance).sign_in("00-ann").status_code == 303


def test_somebody_unknown_is_told_what_to_ask_for(entrance: Entrance) -> None:
    browser = Browser(entrance)
    answer = browser.sign_in("00-new")
    assert answer.status_code == 403
    assert f"{entrance.issuer}|00-new" in answer.text
    assert not browser.inside


def test_a_disabled_user_stays_outside(entrance: Entrance) -> None:
    browser = Browser(entrance)
    answer = browser.sign_in("00-off")
    assert answer.status_code == 403
    assert "switched off" in answer.text
    assert not browser.inside


def test_declining_and_a_missing_code_are_explained(entrance: Entrance) -> None:
    browser = Browser(entrance)
    assert "was stopped" in browser.sign_in("declines").text
    entrance.control(callback={"code": ""})
    assert browser.sign_in("00-ann").status_code == 403
    entrance.control(callback={"code": "made up"})
    assert browser.sign_in("00-ann").status_code == 502


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/console/\\evil", "/console//evil", "/x"]
)
def test_nobody_is_led_to_another_site(entrance: Entrance, back: str) -> None:
    browser = Browser(entrance)
    browser.begin()
    answer = browser.client.get("/console/openid/start", params={"next": back})
    ours = browser.consent(answer.headers["location"], "00-ann")
    assert browser.client.get(ours).headers["location"] == "/console/"


def test_a_host_that_a_stranger_names_is_not_where_the_provider_sends_people(
    entrance: Entrance,
) -> None:
    answer = Browser(entrance).client.get("/console/openid/start", headers={"host": "evil.example"})
    assert "evil.example" not in answer.headers["location"]


def test_signing_out_ends_the_session_and_offers_the_provider_too(entrance: Entrance) -> None:
    browser = Browser(entrance)
    browser.sign_in("00-ann")
    token = browser.client.get("/console/").text.split('name="csrf" value="')[1].split('"')[0]
    assert browser.client.post("/console/sign-out", data={"csrf": token}).status_code == 303
    assert not browser.inside
    assert "/console/openid/leave" in browser.client.get("/console/sign-in").text
    there = browser.client.get("/console/openid/leave").headers["location"]
    assert there.startswith(f"{entrance.issuer}/leave?client_id=flyball&post_logout")


def test_a_newcomer_is_let_in_where_the_settings_say_so(open_entrance: Entrance) -> None:
    browser = Browser(open_entrance)
    assert browser.sign_in("00-new").status_code == 303
    assert browser.inside
    assert Browser(open_entrance).sign_in("00-new").status_code == 303
    with open_entrance.ledger() as ledger:
        user = ledger.user_named("noa")
        entries = ledger.audit(target="noa")
    assert user is not None
    assert (user.role, str(user.sees[0])) == (UserRole.CS, "segment=fintech")
    assert user.email == "noa@example.com"
    assert "identity provider" in [entry.author for entry in entries]


def test_a_name_like_somebody_elses_opens_nothing(open_entrance: Entrance) -> None:
    browser = Browser(open_entrance)
    answer = browser.sign_in("00-thief")
    assert answer.status_code == 403
    assert "another entry with your login ann" in answer.text
    assert not browser.inside


def test_passwords_are_not_taken_where_they_are_switched_off(open_entrance: Entrance) -> None:
    browser = Browser(open_entrance)
    page = browser.client.get("/console/sign-in").text
    assert "Acme ID" in page
    assert "password" not in page.lower()
    token = browser.client.cookies["flyball_door"]
    fields = {"csrf": token, "login": "ann", "password": "correct horse"}
    assert browser.client.post("/console/sign-in", data=fields).status_code == 404


def test_the_secret_is_in_no_log(entrance: Entrance) -> None:
    Browser(entrance).sign_in("00-ann")
    assert SECRET not in entrance.log.read_text()


def test_a_missing_secret_is_said_at_the_start(entrance: Entrance) -> None:
    bare = {name: value for name, value in os.environ.items() if name != VARIABLE}
    answer = subprocess.run(
        [sys.executable, "-m", "commands", "--home", str(entrance.home.root), "console"],
        capture_output=True, text=True, env=bare, timeout=60, check=False,
    )  # fmt: skip
    assert answer.returncode == 2
    assert VARIABLE in answer.stderr
