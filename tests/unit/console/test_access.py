"""Who comes in, what they see, and what forms are believed."""

from __future__ import annotations

import pytest

from console.access.headers import POLICY
from console.access.tenants import AccessibleTenant, AccessibleTenants, Authoriser
from console.access.visitor import COOKIE
from console.desk import Desk
from console.standings.search import Filters, one, page_of
from flyball.errors import NotFound
from ledger.users import Sees, SeesKind, User, UserRole
from tests.unit.console.conftest import NOW_US, PASSWORD, Call


def user_seeing(*sees: Sees, disabled: bool = False) -> User:
    return User(
        user_id="u", login="u", name="U", email="", role=UserRole.CS, sees=sees, password="",
        created_us=0, disabled_us=1 if disabled else None,
    )  # fmt: skip


def seen(desk: Desk, user: User) -> list[str]:
    accessible = Authoriser(desk.standings).tenants_of(user)
    rows = page_of(
        desk.standings, accessible, Filters(), order="account", descending=False, limit=50,
        offset=0, now_us=NOW_US,
    )  # fmt: skip
    return sorted(row.tenant_id for row in rows)


def test_rules_of_what_is_seen_add_up_and_none_is_nothing(desk: Desk) -> None:
    owner, region = Sees(SeesKind.OWNER, "bo"), Sees(SeesKind.REGION, "eu")
    assert seen(desk, user_seeing(owner)) == ["t1", "t2"]
    assert seen(desk, user_seeing(owner, region)) == ["t1", "t2", "t4"]
    assert seen(desk, user_seeing(Sees(SeesKind.ALL))) == ["t1", "t2", "t3", "t4"]
    assert seen(desk, user_seeing()) == []
    assert seen(desk, user_seeing(Sees(SeesKind.ALL), disabled=True)) == []
    assert seen(desk, user_seeing(Sees(SeesKind.OWNER, "' OR 1=1 --"))) == []


def test_only_the_authoriser_makes_accessible_tenants(desk: Desk) -> None:
    with pytest.raises(TypeError):
        AccessibleTenants(object(), [Sees(SeesKind.ALL)])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        AccessibleTenant(object(), "t1")  # type: ignore[arg-type]


def test_a_raw_id_does_not_type_check(desk: Desk) -> None:
    # The checker reports an ignore that nothing needs: this line is the proof.
    with pytest.raises(AttributeError):
        one(desk.standings, "t1")  # type: ignore[arg-type]


def test_a_foreign_tenant_and_an_unknown_one_are_the_same(desk: Desk) -> None:
    authoriser = Authoriser(desk.standings)
    accessible = authoriser.tenants_of(user_seeing(Sees(SeesKind.OWNER, "bo")))
    assert authoriser.tenant(accessible, "t1").tenant_id == "t1"
    told = []
    for name in ("t3", "nobody", "../t1", "t1' OR '1'='1"):
        with pytest.raises(NotFound) as error:
            authoriser.tenant(accessible, name)
        told.append(str(error.value))
    assert len(set(told)) == 1
    assert [t.tenant_id for t in authoriser.some(accessible, ["t1", "t3", "x"])] == ["t1"]


def test_every_page_but_the_door_sends_strangers_there(call: Call) -> None:
    caller = call()
    for address in ("/console/", "/console/?q=x", "/console/accounts.csv", "/console/help"):
        status, _ = caller.get(address)
        assert status == 303, address
    answer = caller.client.post("/console/views", data={"name": "x"}, follow_redirects=False)
    assert answer.headers["location"] == "/console/sign-in"


def test_a_wrong_login_and_a_wrong_password_read_alike(call: Call) -> None:
    caller = call()
    assert caller.sign_in("ann", "wrong password!") == 403
    assert caller.sign_in("nobody", PASSWORD) == 403
    assert COOKIE not in caller.client.cookies


def test_guessing_is_stopped_for_the_right_password_too(call: Call, desk: Desk) -> None:
    caller = call()
    for _ in range(5):
        assert caller.sign_in("ann", "wrong password!") == 403
    assert caller.sign_in("ann") == 429
    assert caller.sign_in("bo") == 303
    desk.ledger.forget_failed_sign_ins("ann")
    assert call().sign_in("ann") == 303


def test_a_disabled_user_is_out_at_once(call: Call, desk: Desk) -> None:
    caller = call("bo")
    assert caller.get("/console/")[0] == 200
    user = desk.ledger.user_named("bo")
    assert user is not None
    desk.ledger.change_user(user.user_id, enabled=False, author="ann", now_us=NOW_US)
    assert caller.get("/console/")[0] == 303
    assert call().sign_in("bo") == 403


def test_the_door_leads_to_our_own_pages_only(call: Call) -> None:
    for wrong in ("https://evil.example/", "//evil.example", "/console//evil", "javascript:x",
                  "/console/\\evil", "/other", "/console/\r\nx: y"):  # fmt: skip
        caller = call()
        token = caller.token("/console/sign-in")
        data = {"csrf": token, "login": "ann", "password": PASSWORD, "next": wrong}
        answer = caller.client.post("/console/sign-in", data=data, follow_redirects=False)
        assert answer.headers["location"] == "/console/", wrong


def test_a_form_from_elsewhere_changes_nothing(call: Call, desk: Desk) -> None:
    caller, fields = call("ann"), {"name": "mine", "query": "risk=high"}
    token = caller.token()
    post = caller.client.post
    assert post("/console/views", data=fields).status_code == 403
    assert post("/console/views", data={**fields, "csrf": "guess"}).status_code == 403
    assert post("/console/views", data={**fields, "csrf": call("bo").token()}).status_code == 403
    right = {**fields, "csrf": token}
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        assert post("/console/views", data=right, headers=headers).status_code == 403, headers
    assert desk.ledger.views_for(desk.ledger.users()[0].user_id) == []
    assert post("/console/views", data=right, follow_redirects=False).status_code == 303
    large = {**right, "query": "x" * 300_000}
    assert post("/console/views", data=large).status_code == 403


def test_a_sign_in_form_needs_the_cookie_of_the_browser_that_asked(call: Call) -> None:
    caller = call()
    token = caller.token("/console/sign-in")
    data = {"csrf": token, "login": "ann", "password": PASSWORD}
    caller.client.cookies.clear()
    assert caller.client.post("/console/sign-in", data=data).status_code == 403


def test_every_answer_carries_the_headers_and_pages_are_not_stored(call: Call) -> None:
    caller = call("ann")
    for address in ("/console/", "/console/nothing", "/console/help", "/console/sign-in"):
        headers = caller.client.get(address, follow_redirects=False).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    static = caller.client.get("/console/static/console.css")
    assert "immutable" in static.headers["cache-control"]
    assert caller.client.get("/console/static/../settings.py").status_code == 404


def test_cookies_are_out_of_scripts_reach_and_stay_on_our_pages(call: Call) -> None:
    caller = call()
    token = caller.token("/console/sign-in")
    data = {"csrf": token, "login": "ann", "password": PASSWORD}
    answer = caller.client.post("/console/sign-in", data=data, follow_redirects=False)
    cookie = next(
        value for value in answer.headers.get_list("set-cookie") if value.startswith(COOKIE)
    )
    for part in ("HttpOnly", "SameSite=lax", "Path=/console", "Max-Age=43200"):
        assert part in cookie
