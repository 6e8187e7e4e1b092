"""OFREP: the OpenFeature SDK and its provider read decisions from a real worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from ledger.people import Role
from ledger.sqlite_ledger import SqliteLedger
from tests.integration.service.running import Service, entry

ENT_1 = EvaluationContext("ent_1", {"country": "DE"})


@pytest.fixture
def provider(service: Service) -> Iterator[OFREPProvider]:
    made = OFREPProvider(service.url)
    api.set_provider(made)
    yield made
    api.clear_providers()
    made.session.close()


@pytest.fixture
def flags(provider: OFREPProvider) -> OpenFeatureClient:
    return api.get_client()


def bulk(service: Service, context: Any, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with service.client() as client:
        return client.post("/ofrep/v1/evaluate/flags", json={"context": context}, headers=named)


def test_the_sdk_reads_numbers_truth_values_and_objects(
    service: Service, flags: OpenFeatureClient
) -> None:
    assert flags.get_float_value("flyball.multiplier", 1.0, ENT_1) == 0.85
    assert flags.get_integer_value("flyball.effective_limit", 1, ENT_1) == 8_500
    assert flags.get_integer_value("flyball.base_limit", 1, ENT_1) == 10_000
    assert flags.get_integer_value("flyball.window_seconds", 1, ENT_1) == 60
    assert flags.get_boolean_value("flyball.enforce_friction", False, ENT_1) is True
    found = flags.get_float_details("flyball.multiplier", 1.0, EvaluationContext("key_1"))
    assert found.reason == "TARGETING_MATCH"
    assert found.flag_metadata["tenantId"] == "ent_1"
    assert found.flag_metadata["source"] == "fresh"


def test_a_multiplier_of_one_is_a_number_with_a_point(flags: OpenFeatureClient) -> None:
    found = flags.get_float_details("flyball.multiplier", 0.5, EvaluationContext("ent_2"))
    assert (found.value, found.error_code) == (1.0, None)


def test_a_changed_decision_is_a_changed_flag(service: Service, flags: OpenFeatureClient) -> None:
    service.publish(entry("ent_1", 130))
    assert flags.get_float_value("flyball.multiplier", 1.0, ENT_1) == 1.3
    assert flags.get_boolean_value("flyball.enforce_friction", True, ENT_1) is False


def test_who_is_not_known_gets_the_applications_default(flags: OpenFeatureClient) -> None:
    nobody = EvaluationContext("nobody")
    found = flags.get_integer_details("flyball.effective_limit", 777, nobody)
    assert (found.value, found.reason, found.error_code) == (777, "DEFAULT", None)
    assert flags.get_float_value("flyball.multiplier", 0.5, nobody) == 1.0


@pytest.mark.parametrize(
    ("key", "context", "code"),
    [
        ("flyball.upsell", ENT_1, ErrorCode.FLAG_NOT_FOUND),
        ("flyball.multiplier", EvaluationContext(), ErrorCode.TARGETING_KEY_MISSING),
        ("flyball.multiplier", None, ErrorCode.TARGETING_KEY_MISSING),
        ("flyball.multiplier", EvaluationContext("a b/.."), ErrorCode.INVALID_CONTEXT),
        ("flyball.enforce_friction", ENT_1, ErrorCode.TYPE_MISMATCH),
    ],
)
def test_the_sdk_understands_our_errors(
    flags: OpenFeatureClient, key: str, context: EvaluationContext | None, code: ErrorCode
) -> None:
    found = flags.get_float_details(key, 1.0, context)
    assert (found.value, found.error_code) == (1.0, code)


def test_the_bulk_answer_has_a_tag_and_is_not_sent_twice(service: Service) -> None:
    first = bulk(service, {"targetingKey": "ent_1"})
    assert first.status_code == 200
    found = {flag["key"]: flag for flag in first.json()["flags"]}
    assert found["flyball.multiplier"]["value"] == 0.85
    assert "prob" not in first.text.lower()
    tag = first.headers["etag"]
    service.publish(entry("ent_1"), entry("ent_2", 100))
    assert bulk(service, {"targetingKey": "ent_1"}, if_none_match=tag).status_code == 304
    service.publish(entry("ent_1", 100), entry("ent_2", 100))
    changed = bulk(service, {"targetingKey": "ent_1"}, if_none_match=tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert bulk(service, {"targetingKey": "ent_2"}, if_none_match=tag).status_code == 200


def test_bodies_that_say_nothing_are_refused_in_the_protocols_words(service: Service) -> None:
    with service.client() as client:
        for body, code in [
            (b"{", "PARSE_ERROR"),
            (b"[]", "INVALID_CONTEXT"),
            (b'{"context": 3}', "INVALID_CONTEXT"),
            (b'{"context": {"targetingKey": 3}}', "INVALID_CONTEXT"),
            (b"{}", "TARGETING_KEY_MISSING"),
        ]:
            for path in ("", "/flyball.multiplier"):
                answer = client.post(f"/ofrep/v1/evaluate/flags{path}", content=body)
                assert (answer.status_code, answer.json()["errorCode"]) == (400, code)


def test_with_tokens_the_sdk_needs_one(service: Service, provider: OFREPProvider) -> None:
    with SqliteLedger(service.home.ledger) as ledger:
        token, _ = ledger.create_token("app", Role.GATEWAY, author="test", now_us=1)
    service.worker.refresh()
    client = api.get_client()
    assert client.get_float_value("flyball.multiplier", 0.5, ENT_1) == 0.5
    provider.headers_factory = lambda: {"authorization": f"Bearer {token}"}
    assert client.get_float_value("flyball.multiplier", 0.5, ENT_1) == 0.85
