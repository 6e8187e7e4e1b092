"""Overrides as forms: what is believed, what is told beside the field, who may."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.desk import Desk
from console.say.filled import day_of
from flyball.instant import DAY_US
from flyball.override import OverrideKind
from tests.unit.console.conftest import NOW_US, Call

ADDRESS = "/console/accounts/t1/override"
LAST_DAY = day_of(NOW_US + 7 * DAY_US)
FINE = {"kind": "force_neutral", "until": LAST_DAY, "reason": "They escalated"}


def test_an_override_is_set_with_who_why_and_end_and_ended_again(call: Call, desk: Desk) -> None:
    caller = call("bo")
    assert caller.post(ADDRESS, FINE) == (303, "/console/accounts/t1")
    (made,) = desk.ledger.overrides(active_at_us=NOW_US)
    assert (made.tenant_id, made.kind, made.author, made.reason) == (
        "t1", OverrideKind.FORCE_NEUTRAL, "bo", "They escalated",
    )  # fmt: skip
    # The last day counts in full.
    assert day_of(made.expires_us - 1) == LAST_DAY
    assert day_of(made.expires_us) != LAST_DAY
    page = caller.get("/console/accounts/t1")[1]
    assert "They escalated" in page
    assert "End it now" in page
    assert desk.ledger.audit(target="t1")[0].action == "override.add"
    assert caller.post(f"{ADDRESS}/{made.override_id}/end", {})[0] == 303
    assert desk.ledger.overrides(active_at_us=NOW_US) == []
    assert desk.ledger.audit(target="t1")[0].action == "override.end"
    again = caller.client.post(f"{ADDRESS}/{made.override_id}/end", data={"csrf": caller.token()})
    assert "has ended already" in again.text


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        ({"reason": " "}, "reason", "Say why"),
        ({"reason": "x" * 257}, "reason", "at most 256"),
        ({"reason": "a\u202eb"}, "reason", "direction characters"),
        ({"until": ""}, "until", "A date is missing"),
        ({"until": "tomorrow"}, "until", "year-month-day"),
        ({"until": day_of(NOW_US - 3 * DAY_US)}, "until", "after it begins"),
        ({"until": day_of(NOW_US + 400 * DAY_US)}, "until", "366 days"),
        ({"kind": "nonsense"}, "kind", "Choose one of the four"),
        ({"kind": "choose"}, "arm", "No multiplier is chosen"),
        ({"kind": "choose", "arm": "0.50"}, "arm", "is not offered"),
        ({"kind": "choose", "arm": "<b>"}, "arm", "hundredths"),
    ],
)
def test_what_does_not_fit_is_told_beside_its_field_and_nothing_is_lost(
    call: Call, desk: Desk, change: dict[str, str], field: str, told: str
) -> None:
    status, page = call("bo").post(ADDRESS, {**FINE, **change})
    assert status == 422
    assert f'id="f-{field}-error"' in page
    assert told in page
    if field != "until":
        assert LAST_DAY in page
    assert desk.ledger.overrides() == []


def test_a_chosen_multiplier_keeps_the_contract(call: Call, desk: Desk) -> None:
    caller = call("bo")
    page = caller.get(ADDRESS)[1]
    assert [f'value="{arm}"' in page for arm in ("0.70", "1.30", "0.50")] == [True, True, False]
    assert caller.post(ADDRESS, {**FINE, "kind": "choose", "arm": "1.15"})[0] == 303
    assert [item.arm for item in desk.ledger.overrides()] == [115]


def test_only_who_acts_on_what_they_see_may_override(call: Call, desk: Desk) -> None:
    foreign = "/console/accounts/t3/override"
    bo = call("bo")
    assert bo.get(foreign)[0] == bo.get("/console/accounts/nobody/override")[0] == 404
    assert bo.post(foreign, FINE)[0] == 404
    viewer = call("vic")
    assert viewer.get("/console/accounts/t4/override")[0] == 403
    assert viewer.post("/console/accounts/t4/override", FINE)[0] == 403
    assert "/override" not in viewer.get("/console/accounts/t4")[1]
    assert desk.ledger.overrides() == []
    assert call("ann").post(foreign, FINE)[0] == 303
    (made,) = desk.ledger.overrides()
    # Another account's address does not end it, nor does somebody who does not see it.
    assert bo.post(f"{ADDRESS}/{made.override_id}/end", {})[0] == 404
    assert bo.post(f"{foreign}/{made.override_id}/end", {})[0] == 404
    assert len(desk.ledger.overrides(active_at_us=NOW_US)) == 1


class TestSecondPairOfEyes:
    """Where it is configured, a choice waits for another person."""

    @pytest.fixture
    def desk(self, desk: Desk) -> Desk:
        return replace(desk, settings=replace(desk.settings, second_pair_of_eyes="choose"))

    def test_a_choice_waits_until_another_person_approves(self, call: Call, desk: Desk) -> None:
        bo, ann = call("bo"), call("ann")
        assert bo.post(ADDRESS, {**FINE, "kind": "choose", "arm": "1.15"})[0] == 303
        assert desk.ledger.overrides() == []
        (asked,) = desk.ledger.override_requests(waiting_at_us=NOW_US)
        verdict = f"/console/accounts/t1/requests/{asked.request_id}"
        assert "Withdraw" in bo.get("/console/accounts/t1")[1]
        bo.post(verdict, {"verdict": "approve"})
        assert desk.ledger.overrides() == []
        assert bo.get("/console/approvals")[0] == 403
        assert "They escalated" in ann.get("/console/approvals")[1]
        assert ann.post(verdict, {"verdict": "approve"})[0] == 303
        (made,) = desk.ledger.overrides(active_at_us=NOW_US)
        assert (made.author, made.arm) == ("bo", 115)
        assert "Nothing waits" in ann.get("/console/approvals")[1]

    def test_nobody_approves_their_own_however_high_their_role(
        self, call: Call, desk: Desk
    ) -> None:
        ann = call("ann")
        ann.post(ADDRESS, {**FINE, "kind": "choose", "arm": "1.15"})
        (asked,) = desk.ledger.override_requests()
        verdict = f"/console/accounts/t1/requests/{asked.request_id}"
        ann.post(verdict, {"verdict": "approve"})
        assert desk.ledger.overrides() == []
        assert call("vic").post(verdict, {"verdict": "approve"})[0] == 404
        ann.post(verdict, {"verdict": "withdraw"})
        assert desk.ledger.override_requests(waiting_at_us=NOW_US) == []

    def test_other_kinds_hold_at_once(self, call: Call, desk: Desk) -> None:
        call("bo").post(ADDRESS, FINE)
        assert len(desk.ledger.overrides(active_at_us=NOW_US)) == 1
