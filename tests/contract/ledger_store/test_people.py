"""What people do is kept with who and why, and never undone silently."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.instant import DAY_US
from flyball.override import Override, OverrideKind
from ledger.people import Role
from ledger.store import Ledger
from tests.contract.ledger_store.records import NOW, account, plan


def exempt(ledger: Ledger, tenant: str = "t1", *, at: int = NOW) -> Override:
    return ledger.add_override(
        tenant, OverrideKind.EXEMPT, author="ann", reason="renewal", now_us=at,
        expires_us=at + 7 * DAY_US,
    )  # fmt: skip


def begin(ledger: Ledger, name: str = "autumn", *, secret: bytes | None = None) -> bytes:
    run = ledger.start_experiment(
        name, epsilon=0.05, holdout_share=0.1, author="ann", reason="learn", now_us=NOW,
        secret=secret,
    )  # fmt: skip
    return run.experiment.secret


def test_an_override_counts_until_it_expires(ledger: Ledger) -> None:
    ledger.put_account(account())
    made = exempt(ledger)
    assert ledger.overrides(active_at_us=NOW) == [made]
    assert ledger.overrides(active_at_us=NOW + 7 * DAY_US) == []
    assert ledger.overrides(["t2"]) == []
    assert ledger.overrides() == [made]


def test_an_override_ended_early_still_counted_before(ledger: Ledger) -> None:
    ledger.put_account(account())
    made = exempt(ledger)
    ended = ledger.end_override(made.override_id, author="bob", now_us=NOW + DAY_US)
    assert ended.ended_us == NOW + DAY_US
    assert ledger.overrides(active_at_us=NOW + DAY_US - 1) == [ended]
    assert ledger.overrides(active_at_us=NOW + DAY_US) == []
    with pytest.raises(Conflict):
        ledger.end_override(made.override_id, author="bob", now_us=NOW + 2 * DAY_US)


@pytest.mark.parametrize("override_id", ["o_9", "9x", "", "o_" + "9" * 40, "o_-1"])
def test_ending_what_does_not_exist_says_so(ledger: Ledger, override_id: str) -> None:
    with pytest.raises(NotFound):
        ledger.end_override(override_id, author="bob", now_us=NOW)


def test_an_override_of_an_unknown_tenant_is_refused(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        exempt(ledger, "nobody")
    assert ledger.overrides() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("reason", " "), ("author", ""), ("expires_us", NOW), ("arm", 85), ("reason", "a\u202eb")],
)
def test_an_override_without_who_why_or_end_is_refused(
    ledger: Ledger, field: str, value: object
) -> None:
    ledger.put_account(account())
    given: dict[str, object] = {"author": "ann", "reason": "why", "expires_us": NOW + DAY_US}
    with pytest.raises(InvalidInput):
        ledger.add_override(
            "t1",
            OverrideKind.FREEZE,
            now_us=NOW,
            **(given | {field: value}),  # type: ignore[arg-type]
        )
    assert ledger.overrides() == []


def test_one_experiment_runs_at_a_time_and_a_name_is_used_once(ledger: Ledger) -> None:
    begin(ledger)
    with pytest.raises(Conflict, match="running"):
        begin(ledger, "winter")
    stopped = ledger.stop_experiment(author="bob", now_us=NOW + DAY_US, reason="enough")
    assert (stopped.stopped_us, stopped.stopped_by) == (NOW + DAY_US, "bob")
    with pytest.raises(NotFound):
        ledger.stop_experiment(author="bob", now_us=NOW + DAY_US)
    with pytest.raises(Conflict, match="before"):
        begin(ledger)


def test_an_experiment_is_running_between_its_start_and_stop(ledger: Ledger) -> None:
    begin(ledger)
    ledger.stop_experiment(author="bob", now_us=NOW + DAY_US)
    assert ledger.experiment_as_of(NOW - 1) is None
    running = ledger.experiment_as_of(NOW)
    assert running is not None
    assert running.name == "autumn"
    assert ledger.experiment_as_of(NOW + DAY_US) is None


def test_the_secret_is_made_once_so_that_the_holdout_stays(ledger: Ledger) -> None:
    first = begin(ledger)
    ledger.stop_experiment(author="bob", now_us=NOW)
    assert begin(ledger, "winter") == first
    assert len(first) == 32
    ledger.stop_experiment(author="bob", now_us=NOW)
    with pytest.raises(Conflict, match="secret"):
        begin(ledger, "spring", secret=b"x" * 16)


def test_a_bad_experiment_leaves_nothing_behind(ledger: Ledger) -> None:
    for epsilon, share in ((0.6, 0.1), (-0.1, 0.1), (float("nan"), 0.1), (0.05, 1.0)):
        with pytest.raises(InvalidInput):
            ledger.start_experiment(
                "x", epsilon=epsilon, holdout_share=share, author="a", reason="b", now_us=NOW
            )
    assert ledger.experiments() == []


def test_settings_are_versioned_and_readable_as_of_a_time(ledger: Ledger) -> None:
    assert ledger.setting("guardrails") is None
    first = ledger.put_setting("guardrails", {"spike_rule": True}, author="ann", now_us=NOW)
    same = ledger.put_setting("guardrails", {"spike_rule": True}, author="bob", now_us=NOW + 1)
    other = ledger.put_setting("guardrails", {"spike_rule": False}, author="bob", now_us=NOW + 2)
    assert (first.created, same.created, other.version) == (True, False, 2)
    for at, expected in ((NOW - 1, True), (NOW + 1, True), (NOW + 2, False), (None, False)):
        found = ledger.setting("guardrails", at)
        assert found is not None
        assert found.content == {"spike_rule": expected}


def test_economics_come_back_as_rules(ledger: Ledger) -> None:
    assert ledger.economics() is None
    ledger.put_setting("economics", {"currency": "EUR", "margin": 0.7}, author="ann", now_us=NOW)
    found = ledger.economics()
    assert found is not None
    assert (found.currency, found.margin) == ("EUR", 0.7)


def test_a_token_opens_until_it_expires_or_is_revoked(ledger: Ledger) -> None:
    text, token = ledger.create_token(
        "edge", Role.GATEWAY, author="ann", now_us=NOW, expires_us=NOW + DAY_US
    )
    assert text.startswith("fbt_")
    assert ledger.authenticate(text, NOW) == token
    assert ledger.authenticate(text, NOW + DAY_US) is None
    for wrong in (text + "x", "fbt_", "", "fbt_" + "y" * 500, text.lower()):
        assert ledger.authenticate(wrong, NOW) is None
    ledger.revoke_token(token.token_id, author="ann", now_us=NOW + 5)
    assert ledger.authenticate(text, NOW + 5) is None
    with pytest.raises(Conflict):
        ledger.revoke_token(token.token_id, author="ann", now_us=NOW + 6)
    with pytest.raises(NotFound):
        ledger.revoke_token("t_none", author="ann", now_us=NOW)


def test_every_move_of_a_person_is_in_the_audit_trail(ledger: Ledger) -> None:
    ledger.put_account(account(), author="crm")
    ledger.put_plan(plan("free", base=9), now_us=NOW, author="ann")
    ledger.end_override(exempt(ledger).override_id, author="bob", now_us=NOW, reason="done")
    begin(ledger)
    ledger.stop_experiment(author="ann", now_us=NOW)
    ledger.put_setting("policy", "relax", author="ann", now_us=NOW)
    text, token = ledger.create_token("edge", Role.GATEWAY, author="ann", now_us=NOW)
    ledger.revoke_token(token.token_id, author="ann", now_us=NOW)
    ledger.record_kill(engaged=True, author="eve", reason="fire", now_us=NOW)
    ledger.append_audit(now_us=NOW, author="ann", action="model.promote", target="3")
    entries = ledger.audit()
    assert [entry.action for entry in reversed(entries)] == [
        "account.put", "plan.put", "override.add", "override.end", "experiment.start",
        "experiment.stop", "setting.put", "token.create", "token.revoke", "kill.on",
        "model.promote",
    ]  # fmt: skip
    changed = next(entry for entry in entries if entry.action == "plan.put")
    assert json.loads(changed.before)["limits"]["api.requests"]["base"] == 1000
    assert json.loads(changed.after)["limits"]["api.requests"]["base"] == 9
    secrets = (text, "secret")
    assert not any(word in f"{entry}" for entry in entries for word in secrets)
    assert [entry.author for entry in ledger.audit(target="t1", limit=1)] == ["bob"]


def test_the_feed_names_the_tenants_touched(ledger: Ledger, opened: Callable[[], Ledger]) -> None:
    ledger.import_accounts([account("t1"), account("t2")], now_us=NOW)
    start = ledger.changes_since(None)
    assert (start.tenants, start.everyone) == (frozenset(), False)
    other = opened()
    other.put_account(account("t2", plan="pro", at=NOW + 1))
    made = exempt(other, "t1")
    first = ledger.changes_since(start.cursor)
    assert first.tenants == {"t1", "t2"}
    assert not first.everyone
    assert ledger.changes_since(first.cursor).tenants == frozenset()
    other.end_override(made.override_id, author="bob", now_us=NOW + 1)
    other.put_account(account("t2", plan="pro", at=NOW + 2))  # a duplicate: no change
    second = ledger.changes_since(first.cursor)
    assert second.tenants == {"t1"}
    for write in (
        lambda: other.put_plan(plan("free", base=9), now_us=NOW),
        lambda: other.put_setting("policy", "relax", author="ann", now_us=NOW),
        lambda: begin(other),
        lambda: other.record_kill(engaged=True, author="a", reason="b", now_us=NOW),
    ):
        before = ledger.changes_since(None).cursor
        write()
        assert ledger.changes_since(before).everyone
