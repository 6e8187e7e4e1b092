"""The API as its callers use it: telemetry in, accounts, people, errors that say what to do."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from flyball.instant import format_instant
from ledger.notice import NoticeKind, Severity
from ledger.people import Role
from tests.integration.service.running import Service, entry

BATCH = {"content-type": "application/cloudevents-batch+json"}
PLANS = [
    {
        "plan": "pro",
        "rank": 2,
        "monthlyPriceMinor": 9900,
        "currency": "USD",
        "primaryMeter": "api.requests",
        "limits": {"api.requests": {"base": 10000, "contract": 7000, "per": "minute"}},
    }
]


def event(number: int, subject: str = "ent_1", **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "gw-1",
        "type": "api.requests",
        "subject": subject,
        "time": format_instant(time.time_ns() // 1_000_000_000 * 1_000_000),
        "data": {"quantity": 5},
    } | changes


def account(service: Service, tenant: str = "ent_1", **fields: Any) -> Any:
    body = {"plan": "pro", "createdAt": "2025-01-01T00:00:00Z"} | fields
    with service.client() as client:
        client.put("/v1/plans", json=PLANS).raise_for_status()
        return client.put(f"/v1/accounts/{tenant}", json=body)


def test_events_are_accepted_once(service: Service) -> None:
    assert account(service).status_code == 200
    body = msgspec.json.encode([event(1), event(2)])
    with service.client() as client:
        first = client.post("/v1/events", content=body, headers=BATCH)
        again = client.post("/v1/events", content=body, headers=BATCH)
    assert first.status_code == again.status_code == 202
    assert first.json() == {"accepted": 2, "duplicate": 0, "pending": 0, "rejected": []}
    assert again.json() == {"accepted": 0, "duplicate": 2, "pending": 0, "rejected": []}


def test_one_bad_event_never_costs_a_good_one(service: Service) -> None:
    account(service)
    events = [
        event(1),
        event(2, data={"quantity": -1}),
        event(3, data={"quantity": "nan"}),
        event(4, type="no.such"),
        event(5, time="2026-01-01T00:00:00"),
        event(6, time="2199-01-01T00:00:00Z"),
        event(7, subject="../etc/passwd"),
        event(8, subject="ent_\u202e1"),
        event(9, time="2020-01-01T00:00:00Z"),
        event(1, data={"quantity": 6}),
        {"specversion": "1.0"},
        17,
        event(10),
    ]
    with service.client() as client:
        answer = client.post("/v1/events", content=msgspec.json.encode(events), headers=BATCH)
    receipt = answer.json()
    assert answer.status_code == 202
    assert receipt["accepted"] == 2
    assert [refusal["index"] for refusal in receipt["rejected"]] == list(range(1, 12))
    assert all(refusal["reason"] for refusal in receipt["rejected"])


def test_usage_of_an_unknown_tenant_waits_for_its_account(service: Service) -> None:
    with service.client() as client:
        client.put("/v1/plans", json=PLANS).raise_for_status()
        body = msgspec.json.encode([event(1, "ent_new"), event(2, "key_new")])
        receipt = client.post("/v1/events", content=body, headers=BATCH).json()
        assert receipt["pending"] == 2
        put = account(service, "ent_new", aliases=["key_new"])
        assert put.json()["releasedEvents"] == 2
        again = client.post("/v1/events", content=body, headers=BATCH).json()
    assert again["duplicate"] == 2


def test_single_and_binary_mode(service: Service) -> None:
    account(service)
    with service.client() as client:
        single = client.post(
            "/v1/events",
            content=msgspec.json.encode(event(1)),
            headers={"content-type": "application/cloudevents+json; charset=utf-8"},
        )
        binary = client.post(
            "/v1/events",
            json={"quantity": 3},
            headers={
                "ce-specversion": "1.0",
                "ce-id": "b1",
                "ce-source": "gw-1",
                "ce-type": "api.requests",
                "ce-subject": "ent_1",
            },
        )
    assert single.json()["accepted"] == binary.json()["accepted"] == 1


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/cloudevents+json", 400),
        (b"   ", "application/cloudevents-batch+json", 400),
        (b"{", "application/cloudevents+json", 400),
        (b"[" * 100_000, "application/cloudevents-batch+json", 400),
        (b'{"a":1}', "application/cloudevents-batch+json", 400),
        (b"\xff\xfe", "application/cloudevents+json", 400),
        (b"{}", "text/plain", 415),
        (b"x" * (9 * 1024 * 1024), "application/cloudevents+json", 413),
    ],
)
def test_a_body_that_holds_no_event_is_refused_with_a_reason(
    service: Service, body: bytes, content_type: str, status: int
) -> None:
    with service.client() as client:
        answer = client.post("/v1/events", content=body, headers={"content-type": content_type})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert len(problem["detail"]) > 10


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"plan": "none-such"}, "unknown_plan"),
        ({"plan": 7}, None),
        ({"createdAt": "yesterday"}, "bad_time"),
        ({"seats": -4}, None),
        ({"seats": 1e40}, None),
        ({"name": "a\x00b"}, "bad_label"),
        ({"name": "a\u202eb"}, "bad_label"),
        ({"baseLimit": 0}, "bad_limit"),
        ({"aliases": ["../x"]}, None),
        ({"tenantId": "somebody_else"}, None),
    ],
)
def test_a_bad_account_is_refused_and_changes_nothing(
    service: Service, changes: dict[str, Any], code: str | None
) -> None:
    answer = account(service, "ent_9", **changes)
    assert answer.status_code == 422, answer.text
    if code:
        assert answer.json()["code"] == code
    assert service.worker.ledger.resolve("ent_9") is None


def test_an_alias_belongs_to_one_tenant(service: Service) -> None:
    assert account(service, "ent_1", aliases=["key_1"]).status_code == 200
    taken = account(service, "ent_2", aliases=["key_1"])
    assert taken.status_code == 409


def test_subscriptions_are_taken_once(service: Service) -> None:
    account(service)
    body = [
        {"tenantId": "ent_1", "time": "2026-01-05T00:00:00Z", "kind": "upgraded", "plan": "pro"},
    ]
    with service.client() as client:
        first = client.post("/v1/subscriptions", json=body)
        again = client.post("/v1/subscriptions", json=body)
        bad = client.post("/v1/subscriptions", json=[{"tenantId": "ent_1", "kind": "exploded"}])
    assert first.status_code == 202, first.text
    assert first.json()["accepted"] == 1
    assert again.json()["duplicate"] == 1
    assert bad.status_code == 422


@pytest.mark.parametrize("plan", [{}, {"plan": "x"}, PLANS[0] | {"limits": {}}, [], 3, "no"])
def test_a_bad_plan_is_refused(service: Service, plan: Any) -> None:
    with service.client() as client:
        answer = client.put("/v1/plans", json=plan)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_batch_answers_in_order_and_has_bounds(service: Service) -> None:
    with service.client() as client:
        asked = ["ent_2", "nobody", "key_1"]
        answer = client.post("/v1/decisions:batchGet", json={"tenantIds": asked})
        ids = [decision["tenantId"] for decision in answer.json()["decisions"]]
        assert ids == ["ent_2", "nobody", "ent_1"]
        bodies: list[Any] = [{}, {"tenantIds": []}, {"tenantIds": ["x"] * 1001}, {"tenantIds": [5]}]
        for bad in [*bodies, []]:
            assert client.post("/v1/decisions:batchGet", json=bad).status_code == 422


def test_a_person_overrides_and_ends_it(service: Service) -> None:
    account(service)
    body = {
        "tenantId": "ent_1",
        "kind": "exempt",
        "reason": "renewal talks",
        "expiresAt": format_instant(time.time_ns() // 1_000 + 86_400_000_000),
    }
    with service.client() as client:
        made = client.post("/v1/overrides", json=body)
        assert made.status_code == 201, made.text
        listed = client.get("/v1/overrides").json()["overrides"]
        assert [o["overrideId"] for o in listed] == [made.json()["overrideId"]]
        ended = client.post(f"/v1/overrides/{listed[0]['overrideId']}:end", json={"reason": "done"})
        assert ended.json()["endedAt"]
        for wrong in (
            {"reason": ""},
            {"expiresAt": "2020-01-01T00:00:00Z"},
            {"kind": "choose"},
            {"kind": "choose", "multiplier": 0.8512},
            {"multiplier": 0.85},
            {"tenantId": "nobody"},
        ):
            answer = client.post("/v1/overrides", json=body | wrong)
            assert answer.status_code in (404, 422), (wrong, answer.text)


def test_the_kill_switch_needs_a_reason_and_says_who(service: Service) -> None:
    with service.client() as client:
        assert client.put("/v1/kill-switch", json={"on": True, "reason": " "}).status_code == 422
        on = client.put("/v1/kill-switch", json={"on": True, "reason": "incident 42"})
        assert on.json()["on"] is True
        assert on.json()["author"] == "local"
        off = client.put("/v1/kill-switch", json={"on": False, "reason": "over"})
        assert off.json() == {"on": False}


def test_one_experiment_runs_at_a_time_and_its_secret_stays_inside(service: Service) -> None:
    body = {"name": "autumn", "reason": "first look"}
    with service.client() as client:
        made = client.post("/v1/experiments", json=body)
        assert made.status_code == 201, made.text
        assert client.post("/v1/experiments", json=body | {"name": "other"}).status_code == 409
        assert "secret" not in client.get("/v1/experiments").text
        assert client.post("/v1/experiments:stop", json={"reason": "enough"}).status_code == 200
        bad = client.post("/v1/experiments", json=body | {"name": "x", "epsilon": 2})
        assert bad.status_code == 422


def test_once_there_is_a_token_everybody_needs_one(service: Service) -> None:
    now_us = time.time_ns() // 1_000
    make = service.worker.ledger.create_token
    gateway, _ = make("edge", Role.GATEWAY, author="test", now_us=now_us)
    ingest, token = make("meter", Role.INGEST, author="test", now_us=now_us)
    service.worker.refresh()
    with service.client() as client:
        stranger = client.get("/v1/decisions/ent_1")
        assert stranger.status_code == 401
        assert stranger.headers["www-authenticate"].startswith("Bearer")
        assert client.get("/livez").status_code == 200
    with service.client(gateway) as client:
        assert client.get("/v1/decisions/ent_1").status_code == 200
        assert client.post("/v1/events", content=b"x").status_code == 403
        assert client.get("/v1/overrides").status_code == 403
    with service.client(ingest) as client:
        assert client.get("/v1/decisions/ent_1").status_code == 403
        service.worker.ledger.revoke_token(token.token_id, author="test", now_us=now_us + 1)
        service.worker.refresh()
        assert client.put("/v1/plans", json=PLANS).status_code == 401
    with service.client("fbt_" + "x" * 43) as client:
        assert client.get("/v1/decisions/ent_1").status_code == 401


def test_without_tokens_a_page_elsewhere_cannot_reach_us(service: Service) -> None:
    """DNS rebinding: the browser's Host header names the attacker's page."""
    with service.client() as client:
        evil = client.get("/v1/decisions/ent_1", headers={"host": "evil.example"})
    assert evil.status_code == 401


def test_the_snapshot_is_handed_out_whole_and_by_version(service: Service) -> None:
    with service.client() as client:
        whole = client.get("/v1/snapshot")
        assert whole.status_code == 200
        base = int(whole.headers["flyball-base-bytes"])
        assert 0 < base <= len(whole.content)
        same = client.get("/v1/snapshot", headers={"if-none-match": whole.headers["etag"]})
        assert same.status_code == 304
        service.publish(entry("ent_1", 100))
        other = client.get("/v1/snapshot", headers={"if-none-match": whole.headers["etag"]})
        assert other.status_code == 200


def test_probes_and_metrics(service: Service) -> None:
    with service.client() as client:
        assert client.get("/livez").json() == {"status": "alive"}
        ready = client.get("/readyz").json()
        assert (ready["status"], ready["source"], ready["tenants"]) == ("ready", "fresh", 2)
        client.get("/v1/decisions/ent_1")
        service.worker.refresh()
        text = client.get("/metrics").text
    assert "flyball_lookups_total" in text
    assert "ent_1" not in text


def test_the_openapi_document_shows_examples(service: Service) -> None:
    with service.client() as client:
        document = client.get("/openapi.json").json()
        assert client.get("/docs").status_code == 200
    assert "/v1/decisions/{name}" in document["paths"]
    answer = document["components"]["schemas"]["DecisionAnswer"]
    assert answer["example"]["tenantId"] == "ent_88492"


def test_nothing_unknown_is_a_stack_trace(service: Service) -> None:
    with service.client() as client:
        for method, path in (("GET", "/nowhere"), ("DELETE", "/v1/plans"), ("GET", "/v1/events")):
            answer = client.request(method, path)
            assert answer.status_code in (404, 405)
            assert answer.headers["content-type"] == "application/problem+json"


def test_an_account_put_again_without_its_age_is_no_new_version(service: Service) -> None:
    first = account(service, "ent_9", createdAt=None).json()
    again = account(service, "ent_9", createdAt=None).json()
    assert (first["version"], first["created"]) == (1, True)
    assert (again["version"], again["created"]) == (1, False)


def test_where_decisions_follow_events_an_event_arrives_at_its_own_time(service: Service) -> None:
    account(service)
    newest_us = 1_800_000_000_000_000
    service.worker._event_clock = lambda: newest_us
    ahead = event(1, time="2030-01-01T00:00:00Z")
    untimed = {key: value for key, value in event(2).items() if key != "time"}
    with service.client() as client:
        body = msgspec.json.encode([ahead, untimed])
        assert client.post("/v1/events", content=body, headers=BATCH).json()["accepted"] == 2
    kept = {e.event_id: (e.time_us, e.arrived_us) for e in service.worker.events.events_since(0)}
    assert kept["e1"] == (1_893_456_000_000_000, 1_893_456_000_000_000)
    assert kept["e2"] == (newest_us, newest_us)


def test_health_tells_what_people_must_know(service: Service) -> None:
    with service.client() as client:
        fine = client.get("/v1/health").json()
        assert (fine["status"], fine["notices"]) == ("ok", [])
        notice = service.worker.ledger.raise_notice(
            NoticeKind.MODEL_WITHDRAWN,
            Severity.CRITICAL,
            subject="b1",
            message="Harm was found.",
            author="flyball watch",
            now_us=service.worker.now_us(),
        )
        told = client.get("/v1/health").json()
        assert told["status"] == "attention"
        assert [each["message"] for each in told["notices"]] == ["Harm was found."]
        assert told["webhooks"]["waiting"] == 0
        service.worker.ledger.end_notice(
            notice.notice_id, author="ann", reason="done", now_us=service.worker.now_us()
        )
        assert client.get("/v1/health").json()["status"] == "ok"
