"""ext_authz over gRPC: the decision as headers and metadata; counting where the route asks."""

from __future__ import annotations

import json
import shutil
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from ledger.people import Role
from ledger.sqlite_ledger import SqliteLedger
from tests.integration.envoy.running import Envoy
from tests.integration.service.running import entry

COUNT = {"flyball.enforce": "count"}


def headers(response: Any) -> dict[str, str]:
    return {option.header.key: option.header.value for option in response.ok_response.headers}


def test_the_decision_comes_as_headers_and_as_a_limit_for_the_stock_limiter(envoy: Envoy) -> None:
    response = envoy.check("ent_1")
    assert response.status.code == 0
    assert headers(response)["x-flyball-multiplier"] == "0.85"
    assert headers(response)["flyball-state"] == "fresh"
    metadata = MessageToDict(response.dynamic_metadata)
    assert metadata["tenant"] == "ent_1"
    assert metadata["effective_limit"] == 9
    assert metadata["limit"] == {"requests_per_unit": 9.0, "unit": "MINUTE"}
    assert "prob" not in str(response)
    # What a client sent under our names is replaced.
    assert {option.append_action for option in response.ok_response.headers} == {2}


def test_a_change_is_in_the_next_answer(envoy: Envoy) -> None:
    envoy.check("ent_1")
    envoy.publish(entry("ent_1", 130, base=10))
    assert MessageToDict(envoy.check("ent_1").dynamic_metadata)["effective_limit"] == 13


def test_by_default_nothing_is_counted_and_nobody_refused(envoy: Envoy) -> None:
    assert {envoy.check("ent_1").status.code for _ in range(30)} == {0}


def test_where_the_route_asks_requests_are_counted_and_refused(envoy: Envoy) -> None:
    answers = [envoy.check("ent_1", extensions=COUNT) for _ in range(10)]
    assert [a.status.code for a in answers] == [0] * 9 + [8]
    first = {o.header.key: o.header.value for o in answers[0].ok_response.response_headers_to_add}
    assert first["ratelimit-policy"] == '"api.requests";q=9;w=60'
    denied = answers[-1].denied_response
    assert denied.status.code == 429
    told = {option.header.key: option.header.value for option in denied.headers}
    assert int(told["retry-after"]) >= 1
    body = json.loads(denied.body)
    assert body["planUrl"] == "https://example.com/plan"
    assert "probab" not in denied.body
    assert envoy.check("ent_2", extensions=COUNT).status.code == 0


def test_strangers_and_the_nameless_pass(envoy: Envoy) -> None:
    unknown = envoy.check("nobody", extensions=COUNT)
    assert (unknown.status.code, headers(unknown)["flyball-state"]) == (0, "unknown_tenant")
    assert "limit" not in MessageToDict(unknown.dynamic_metadata)
    for name in (None, "", "a b", "x" * 500):
        response = envoy.check(name, extensions=COUNT)
        assert (response.status.code, headers(response)["flyball-state"]) == (0, "no_identity")


def test_without_counters_everybody_passes_and_is_told(envoy: Envoy) -> None:
    run = envoy.home.counters.parent
    shutil.rmtree(run, ignore_errors=True)
    run.write_bytes(b"in the way")
    responses = [envoy.check("ent_1", extensions=COUNT) for _ in range(12)]
    assert {response.status.code for response in responses} == {0}
    assert {headers(response)["flyball-state"] for response in responses} == {"open"}


def test_with_tokens_a_caller_needs_one(envoy: Envoy) -> None:
    with SqliteLedger(envoy.home.ledger) as ledger:
        token, entry = ledger.create_token("envoy", Role.GATEWAY, author="test", now_us=1)
    envoy.worker.refresh()
    with pytest.raises(grpc.RpcError) as refused:
        envoy.check("ent_1")
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    envoy.metadata = (("authorization", f"Bearer {token}"),)
    for _ in range(2):
        assert envoy.check("ent_1").status.code == 0
    with SqliteLedger(envoy.home.ledger) as ledger:
        ledger.revoke_token(entry.token_id, author="test", now_us=2)
    envoy.worker.refresh()
    with pytest.raises(grpc.RpcError) as refused:
        envoy.check("ent_1")
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_what_was_answered_is_counted_by_verdict(envoy: Envoy) -> None:
    for name in ("ent_1", "ent_1", "nobody"):
        envoy.check(name)
    envoy.worker.refresh()
    counted = envoy.worker.metrics.registry.get_sample_value
    assert counted("flyball_authorize_total", {"verdict": "allowed"}) == 2
    assert counted("flyball_authorize_total", {"verdict": "unknown_tenant"}) == 1
