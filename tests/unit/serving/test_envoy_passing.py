"""Answers that are put together from bytes say what answers built in one piece say."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("grpc", reason="pip install 'flyball[grpc]'")

from flyball.enforcement.counters import Ask
from flyball.enforcement.fields import limit_fields
from flyball.enforcement.terms import LimitTerms, Terms
from flyball.limit import LimitKind
from serving.envoy import messages_pb2 as pb
from serving.envoy.dialect import metadata_of, overwriting
from serving.envoy.passing import Passing
from serving.forward_auth.endpoint import decision_fields
from serving.shared_counters import SharedCounters
from serving.terms_book import Decided

NOW_US = 1_767_571_200_000_000
TERMS = Terms(
    tenant_id="ent_1",
    limits=(LimitTerms(meter="api.requests", kind=LimitKind.RATE, limit=85, window_seconds=60),),
    source="fresh",
)
DECIDED = Decided(
    tenantId="ent_1",
    baseLimit=100,
    dynamicMultiplier=0.85,
    enforceFriction=True,
    effectiveLimit=85,
    windowSeconds=60,
    decisionId="d_0000000000000001",
    source="fresh",
)


def test_what_is_appended_is_merged_with_what_was_kept(tmp_path: Path) -> None:
    known, counters = Passing(TERMS, DECIDED), SharedCounters(tmp_path / "counters")
    assert known.pace is not None
    counters.admit(TERMS, Ask(), NOW_US)  # from now on it has a slot
    for step in range(3):
        now_us = NOW_US + step * 1_500_000
        paced = counters.pass_one(known.pace, known.place(counters), now_us)
        assert paced is not None
        whole = pb.CheckResponse(
            status=pb.Status(code=0),
            ok_response=pb.OkHttpResponse(
                headers=overwriting(decision_fields(DECIDED)),
                response_headers_to_add=overwriting(limit_fields(paced.verdict, now_us)),
            ),
        )
        whole.dynamic_metadata.update(metadata_of(TERMS, DECIDED))
        merged = pb.CheckResponse.FromString(known.after(paced))
        for response in (whole, merged):
            # Gateways take them by name: their order says nothing.
            response.ok_response.response_headers_to_add.sort(key=lambda option: option.header.key)
        assert merged == whole
    counters.close()


def test_the_whole_answer_is_kept_where_nothing_is_counted() -> None:
    response = pb.CheckResponse.FromString(Passing(TERMS, DECIDED).told)
    assert response.HasField("ok_response")
    assert response.dynamic_metadata["limit"]["requests_per_unit"] == 85
    assert not response.ok_response.response_headers_to_add
