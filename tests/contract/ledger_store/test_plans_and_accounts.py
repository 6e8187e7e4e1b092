"""Plans and accounts are versioned: what was known as of a time stays known."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.instant import DAY_US
from ledger.store import Ledger
from tests.contract.ledger_store.records import NOW, account, plan

WEEK_US = 7 * DAY_US


def base_of(ledger: Ledger, name: str, at: int) -> int:
    return ledger.plans_as_of(at)[name].primary_limit.base


def test_a_plan_without_a_date_holds_since_ever(ledger: Ledger) -> None:
    assert base_of(ledger, "free", NOW - 3000 * DAY_US) == 1000


def test_a_changed_plan_holds_from_now_on_and_leaves_the_past(ledger: Ledger) -> None:
    put = ledger.put_plan(plan("free", base=2000), now_us=NOW, author="ann")
    assert put.created
    assert put.version == 2
    assert base_of(ledger, "free", NOW - 1) == 1000
    assert base_of(ledger, "free", NOW) == 2000


def test_the_same_plan_again_is_no_new_version(ledger: Ledger) -> None:
    assert not ledger.put_plan(plan("free"), now_us=NOW).created
    ledger.put_plan(plan("free", base=2000), now_us=NOW)
    report = ledger.import_plans([plan("free"), plan("free", base=2000)], now_us=NOW + DAY_US)
    assert (report.accepted, report.duplicates) == (0, 2)
    assert base_of(ledger, "free", NOW + WEEK_US) == 2000


def test_a_dated_plan_holds_from_its_date(ledger: Ledger) -> None:
    ledger.import_plans([plan("free", base=3000, effective_us=NOW + WEEK_US)], now_us=NOW)
    assert base_of(ledger, "free", NOW + WEEK_US - 1) == 1000
    assert base_of(ledger, "free", NOW + WEEK_US) == 3000


def test_an_account_survives_reopening(ledger: Ledger, opened: Callable[[], Ledger]) -> None:
    given = account(aliases=("key_1", "key_2"), segment="Größe")
    ledger.put_account(given)
    assert opened().account("t1", NOW) == given


def test_an_account_is_as_it_was_known_at_a_time(ledger: Ledger) -> None:
    ledger.put_account(account())
    ledger.put_account(account(plan="pro", at=NOW + WEEK_US, known=NOW + 2 * WEEK_US))
    for after_weeks, expected in ((0, "free"), (1, "free"), (2, "pro")):
        found = ledger.account("t1", NOW + after_weeks * WEEK_US)
        assert found.plan == expected
    with pytest.raises(NotFound):
        ledger.account("t1", NOW - 1)


def test_the_same_account_again_is_no_new_version(ledger: Ledger) -> None:
    assert ledger.put_account(account()).created
    again = ledger.put_account(account(at=NOW + DAY_US))
    assert not again.created
    assert again.version == 1
    assert ledger.put_account(account(plan="pro", at=NOW + 2 * DAY_US)).version == 2
    assert ledger.put_account(account(at=NOW + 3 * DAY_US)).version == 3


def test_an_unknown_plan_is_refused_and_names_itself(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="gold") as refused:
        ledger.put_account(account(plan="gold"))
    assert refused.value.code == "unknown_plan"
    report = ledger.import_accounts([account("a"), account("b", plan="gold")], now_us=NOW)
    assert report.accepted == 1
    assert [(r.index, r.code) for r in report.rejections] == [(1, "unknown_plan")]


def test_importing_twice_and_in_any_order_gives_the_same_accounts(ledger: Ledger) -> None:
    history = [
        account("a", at=NOW - 3 * WEEK_US),
        account("a", plan="pro", at=NOW - 2 * WEEK_US),
        account("a", plan="free", at=NOW - WEEK_US),
    ]
    first = ledger.import_accounts(reversed(history), now_us=NOW)
    again = ledger.import_accounts(history, now_us=NOW + DAY_US)
    assert (first.accepted, again.accepted, again.duplicates) == (3, 0, 3)
    assert [ledger.account("a", v.effective_us).plan for v in history] == ["free", "pro", "free"]
    assert ledger.account_versions("a") == history


def test_an_undated_correction_leaves_the_past_as_it_was_known(ledger: Ledger) -> None:
    created = NOW - 365 * DAY_US
    ledger.import_accounts([account(at=created)], now_us=created)
    corrected = account(at=created, plan="pro")
    assert ledger.import_accounts([corrected], now_us=NOW).accepted == 1
    assert ledger.account("t1", NOW - 1).plan == "free"
    assert ledger.account("t1", NOW).plan == "pro"
    # Both files again, in the wrong order: nothing new.
    both = ledger.import_accounts([corrected, account(at=created)], now_us=NOW + DAY_US)
    assert (both.accepted, both.duplicates) == (0, 2)


def test_a_dated_correction_is_known_from_now_on(ledger: Ledger) -> None:
    ledger.import_accounts([account(at=NOW - WEEK_US)], now_us=NOW)
    ledger.import_accounts([account(at=NOW - WEEK_US, plan="pro")], now_us=NOW)
    assert ledger.account("t1", NOW - 1).plan == "free"
    assert ledger.account("t1", NOW).plan == "pro"


def test_names_resolve_to_their_tenant(ledger: Ledger) -> None:
    ledger.put_account(account(aliases=("key_1",)))
    assert [ledger.resolve(name) for name in ("t1", "key_1", "key_2")] == ["t1", "t1", None]
    assert ledger.aliases() == {"key_1": "t1"}
    assert ledger.aliases(["t2"]) == {}


def test_a_name_belongs_to_one_tenant(ledger: Ledger) -> None:
    ledger.put_account(account("t1", aliases=("key_1",)))
    for stolen in (account("t2", aliases=("key_1",)), account("t2", aliases=("t1",))):
        with pytest.raises(Conflict):
            ledger.put_account(stolen)
    with pytest.raises(Conflict):
        ledger.put_account(account("key_1"))
    assert ledger.tenants_created() == {"t1": NOW - 365 * DAY_US}
    report = ledger.import_accounts(
        [account("t3", aliases=("key_3",)), account("t4", aliases=("key_3",))], now_us=NOW
    )
    assert (report.accepted, [r.index for r in report.conflicts]) == (1, [1])


def test_a_name_given_up_is_free_for_another(ledger: Ledger) -> None:
    ledger.put_account(account("t1", aliases=("key_1",)))
    ledger.put_account(account("t1", at=NOW + 1))
    assert ledger.resolve("key_1") is None
    ledger.put_account(account("t2", aliases=("key_1",), at=NOW + 2))
    assert ledger.resolve("key_1") == "t2"


def test_history_does_not_bring_back_old_names(ledger: Ledger) -> None:
    ledger.put_account(account("t1", aliases=("new",)))
    ledger.import_accounts([account("t1", at=NOW - WEEK_US, aliases=("old",))], now_us=NOW)
    assert ledger.aliases() == {"new": "t1"}


def test_as_of_can_be_narrowed_to_some_tenants(ledger: Ledger) -> None:
    ledger.import_accounts([account(f"t{i}") for i in range(5)], now_us=NOW)
    assert list(ledger.accounts_as_of(NOW, {"t3", "t1", "none"})) == ["t1", "t3"]
    assert len(ledger.accounts_as_of(NOW)) == 5


def test_two_writers_at_once_lose_nothing(ledger: Ledger, opened: Callable[[], Ledger]) -> None:
    handles = [opened(), opened()]

    def write(number: int) -> None:
        for i in range(40):
            handles[number].put_account(account(f"t{number}_{i}"))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.tenants_created()) == 80


def test_two_claims_of_one_name_have_one_winner(
    ledger: Ledger, opened: Callable[[], Ledger]
) -> None:
    outcomes: list[str] = []

    def claim(number: int) -> None:
        store = opened()
        try:
            store.put_account(account(f"t{number}", aliases=("key",)))
            outcomes.append("won")
        except Conflict:
            outcomes.append("lost")

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost", "lost", "lost", "won"]
