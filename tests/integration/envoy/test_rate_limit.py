"""The rate limit service: our number for each request, on counters that all processes share."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict

from flyball.enforcement.counters import Ask
from serving.envoy import messages_pb2 as pb
from serving.shared_counters import SharedCounters
from serving.terms_book import TermsBook
from tests.integration.envoy.running import Envoy
from tests.integration.service.running import entry

OK, OVER = pb.RateLimitResponse.OK, pb.RateLimitResponse.OVER_LIMIT


def descriptor(tenant: str | None, **more: str) -> Any:
    made = pb.RateLimitDescriptor()
    if tenant is not None:
        made.entries.add(key="tenant", value=tenant)
    for key, value in more.items():
        made.entries.add(key=key, value=value)
    return made


def test_the_decisions_limit_is_counted_down(envoy: Envoy) -> None:
    answers = [envoy.should_rate_limit(descriptor("ent_1")) for _ in range(10)]
    assert [a.overall_code for a in answers] == [OK] * 9 + [OVER]
    status = answers[0].statuses[0]
    assert status.current_limit.requests_per_unit == 9
    assert status.current_limit.unit == pb.MINUTE
    assert status.limit_remaining == 8
    assert status.duration_until_reset.seconds >= 1
    refused = answers[-1]
    told = {header.key: header.value for header in refused.response_headers_to_add}
    assert int(told["retry-after"]) >= 1
    assert b"planUrl" in refused.raw_body
    assert MessageToDict(refused.dynamic_metadata)["limit"]["requests_per_unit"] == 9.0


def test_a_limit_that_changes_keeps_its_counter(envoy: Envoy) -> None:
    for _ in range(8):
        assert envoy.should_rate_limit(descriptor("ent_1")).overall_code == OK
    envoy.publish(entry("ent_1", 130, base=10))
    codes = [envoy.should_rate_limit(descriptor("ent_1")).overall_code for _ in range(6)]
    assert codes == [OK] * 5 + [OVER]


def test_hits_count_as_many(envoy: Envoy) -> None:
    assert envoy.should_rate_limit(descriptor("ent_1"), hits=9).overall_code == OK
    assert envoy.should_rate_limit(descriptor("ent_1")).overall_code == OVER
    many = descriptor("ent_2")
    many.hits_addend.value = 10
    assert envoy.should_rate_limit(many).overall_code == OK
    looking = descriptor("ent_2")
    looking.hits_addend.value = 0
    assert envoy.should_rate_limit(looking).statuses[0].limit_remaining == 0


def test_an_override_is_for_tenants_that_we_do_not_know(envoy: Envoy) -> None:
    for tenant, limit in (("nobody", 2), ("ent_1", 9)):
        asked = descriptor(tenant)
        asked.limit.requests_per_unit, asked.limit.unit = 2, pb.MINUTE
        codes = [envoy.should_rate_limit(asked).overall_code for _ in range(limit + 1)]
        assert codes == [OK] * limit + [OVER]


def test_who_cannot_be_named_passes(envoy: Envoy) -> None:
    for asked in (descriptor(None), descriptor(""), descriptor("a b"), descriptor("nobody")):
        assert envoy.should_rate_limit(asked).overall_code == OK


def test_one_refused_descriptor_refuses_the_request(envoy: Envoy) -> None:
    envoy.should_rate_limit(descriptor("ent_1"), hits=9)
    both = envoy.should_rate_limit(descriptor("ent_2"), descriptor("ent_1"))
    assert both.overall_code == OVER
    assert [status.code for status in both.statuses] == [OK, OVER]


def test_http_workers_and_grpc_count_on_the_same_counters(envoy: Envoy) -> None:
    book = TermsBook(envoy.worker.answer, lambda: envoy.worker.reader.created_us)
    terms, _ = book.look_up("ent_1")
    elsewhere = SharedCounters(envoy.home.counters)
    for _ in range(9):
        assert elsewhere.admit(terms, Ask(), envoy.worker.now_us()).passes
    elsewhere.close()
    assert envoy.should_rate_limit(descriptor("ent_1")).overall_code == OVER
