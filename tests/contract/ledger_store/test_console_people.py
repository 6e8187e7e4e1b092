"""Users, sessions and saved views of the console."""

from __future__ import annotations

import pytest

from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.instant import HOUR_US
from ledger.store import Ledger
from ledger.users import EVERYTHING, Sees, SeesKind, User, UserRole, sees_from
from tests.contract.ledger_store.records import NOW

OWN = (Sees(SeesKind.OWNER, "ann"),)


def add(ledger: Ledger, login: str = "Ann", role: UserRole = UserRole.CS) -> User:
    return ledger.add_user(
        login, role=role, sees=OWN, author="root", now_us=NOW, password="$argon2$"
    )


def test_a_user_is_found_by_login_whatever_its_case(ledger: Ledger) -> None:
    user = add(ledger)
    assert (user.login, user.role, user.sees) == ("ann", UserRole.CS, OWN)
    assert ledger.user_named(" ANN ") == user
    assert ledger.user(user.user_id) == user
    assert ledger.users() == [user]
    assert ledger.user_named("bob") is None


def test_a_login_is_given_once_and_must_be_one(ledger: Ledger) -> None:
    add(ledger)
    with pytest.raises(Conflict):
        add(ledger, "ANN")
    for wrong in ("", " ", "a b", "<b>", "a" * 65, "ännchen"):
        with pytest.raises(InvalidInput):
            add(ledger, wrong)


def test_rules_of_what_is_seen_are_read_and_all_swallows_the_rest(ledger: Ledger) -> None:
    assert sees_from("owner=a=b") == Sees(SeesKind.OWNER, "a=b")
    for wrong in ("", "owner", "owner=", "all=x", "plan=pro", "everything"):
        with pytest.raises(InvalidInput):
            sees_from(wrong)
    user = add(ledger)
    rules = [*OWN, sees_from("region=eu"), sees_from("all")]
    changed = ledger.change_user(user.user_id, sees=rules, author="root", now_us=NOW)
    assert changed.sees == EVERYTHING


def test_every_change_of_a_user_is_in_the_audit_without_the_hash(ledger: Ledger) -> None:
    user = add(ledger)
    ledger.change_user(user.user_id, role=UserRole.LEAD, author="root", now_us=NOW, reason="new")
    ledger.set_password(user.user_id, "$argon2$other", author="root", now_us=NOW)
    entries = ledger.audit(target="ann")
    assert [entry.action for entry in entries] == ["user.password", "user.change", "user.add"]
    assert '"lead"' in entries[1].after
    assert "argon2" not in repr(entries)
    with pytest.raises(NotFound):
        ledger.set_password("u_nobody", "x", author="root", now_us=NOW)


def test_a_session_ends_by_time_by_idleness_and_with_its_user(ledger: Ledger) -> None:
    user = add(ledger)

    def opened() -> str:
        return ledger.open_session(
            user.user_id, login=user.login, now_us=NOW, expires_us=NOW + 10 * HOUR_US
        )[0]

    text = opened()
    idle = {"idle_us": HOUR_US}
    assert ledger.session(text, now_us=NOW + 1, **idle) is not None
    assert ledger.session(text, now_us=NOW + HOUR_US // 2, **idle) is not None
    # Seen half an hour ago: still there after more than an hour.
    assert ledger.session(text, now_us=NOW + HOUR_US + 1, **idle) is not None
    assert ledger.session(text, now_us=NOW + 5 * HOUR_US, **idle) is None
    assert ledger.session(text, now_us=NOW + 10 * HOUR_US, idle_us=99 * HOUR_US) is None
    assert ledger.session("", now_us=NOW, **idle) is None
    assert ledger.session("x" * 500, now_us=NOW, **idle) is None
    for end in ("sign out", "role", "password", "disable"):
        text = opened()
        match end:
            case "sign out":
                ledger.end_session(text)
            case "role":
                ledger.change_user(user.user_id, role=UserRole.LEAD, author="r", now_us=NOW)
            case "password":
                ledger.set_password(user.user_id, "h", author="r", now_us=NOW)
            case _:
                ledger.change_user(user.user_id, enabled=False, author="r", now_us=NOW)
        assert ledger.session(text, now_us=NOW + 1, **idle) is None, end


def test_failed_sign_ins_are_counted_by_login_and_by_address(ledger: Ledger) -> None:
    for login, address in (("ann", "a"), ("ann", "b"), ("bob", "a")):
        ledger.note_failed_sign_in(login=login, address=address, now_us=NOW, keep_us=HOUR_US)
    count = ledger.failed_sign_ins
    assert count(login="ann", address="a", since_us=NOW) == (2, 2)
    assert count(login="ann", address="a", since_us=NOW + 1) == (0, 0)
    ledger.forget_failed_sign_ins("ann")
    assert count(login="ann", address="a", since_us=0) == (0, 1)


def test_a_view_is_its_owners_to_change_and_others_see_it_when_shared(ledger: Ledger) -> None:
    first = ledger.save_view("u_1", " mine ", "risk=high", shared=False, now_us=NOW)
    shared = ledger.save_view("u_2", "ours", "plan=pro", shared=True, now_us=NOW)
    assert first.name == "mine"
    assert ledger.views_for("u_1") == [first, shared]
    assert ledger.views_for("u_2") == [shared]
    again = ledger.save_view("u_1", "mine", "risk=low", shared=False, now_us=NOW)
    assert [view.query for view in ledger.views_for("u_1")] == ["risk=low", "plan=pro"]
    assert not ledger.delete_view("u_1", shared.view_id)
    assert ledger.delete_view("u_1", again.view_id)
    for name, query in (("", "x"), ("n" * 61, "x"), ("n", "x" * 2_001)):
        with pytest.raises(InvalidInput):
            ledger.save_view("u_1", name, query, shared=False, now_us=NOW)
