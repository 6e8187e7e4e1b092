"""What a tenant is told: header fields of the draft, problem documents, and nothing of a model."""

from __future__ import annotations

import json
import re

import pytest

from flyball.enforcement.counters import Ask, Counters, queue_refusal
from flyball.enforcement.fields import is_ours, limit_fields
from flyball.enforcement.refusal import refusal_body
from flyball.enforcement.terms import LimitTerms, Terms, terms_from
from flyball.errors import InvalidInput
from flyball.instant import SECOND_US
from flyball.limit import LimitKind

NOW = 1_767_571_200 * SECOND_US
RATE: dict[str, object] = {
    "meter": "api.requests",
    "kind": "rate",
    "baseLimit": 10,
    "effectiveLimit": 6,
    "windowSeconds": 60,
    "endpoints": [
        {"pattern": "POST /v1/x", "weight": 2, "baseLimit": None, "effectiveLimit": None}
    ],
}
DECISION: dict[str, object] = {
    "tenantId": "ent_88492",
    "enforceFriction": True,
    "upsellProbability": 0.92,
    "churnProbability": 0.03,
    "limits": [
        RATE,
        {
            "meter": "ai.tokens",
            "kind": "quota",
            "baseLimit": 1000,
            "effectiveLimit": 850,
            "windowSeconds": 2_592_000,
            "soft": 80,
            "paid": True,
        },
        {
            "meter": "workflows.concurrent",
            "kind": "concurrency",
            "baseLimit": 20,
            "effectiveLimit": 17,
            "windowSeconds": None,
        },
    ],
    "reasons": ["upgrade_effect_outweighs_churn"],
    "source": "fresh",
}


def test_a_decision_is_read_into_what_is_enforced() -> None:
    read = terms_from(DECISION)
    assert [(limit.meter, limit.limit) for limit in read.limits] == [
        ("api.requests", 6),
        ("ai.tokens", 850),
        ("workflows.concurrent", 17),
    ]
    assert read.limits[0].endpoints[0].weight == 2
    assert read.limits[1].soft == 80
    assert read.limits[1].paid


def test_without_friction_no_limit_is_below_its_base() -> None:
    read = terms_from({**DECISION, "enforceFriction": False})
    assert [limit.limit for limit in read.limits] == [10, 1000, 20]


def test_an_unknown_tenant_has_no_limits_of_ours() -> None:
    read = terms_from(
        {"tenantId": "x", "enforceFriction": False, "limits": None, "source": "unknown_tenant"}
    )
    assert read.limits == ()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {**DECISION, "limits": 7},
        {**DECISION, "limits": [{"meter": "m", "kind": "wrong"}]},
        {**DECISION, "limits": [{**RATE, "effectiveLimit": -1}]},
    ],
)
def test_what_is_no_decision_is_refused_with_a_clear_message(document: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="not a decision"):
        terms_from(document)


def test_the_fields_are_those_of_the_draft() -> None:
    verdict = Counters().admit(terms_from(DECISION), Ask(units={"ai.tokens": 50}), NOW)
    assert dict(limit_fields(verdict, NOW)) == {
        "ratelimit-policy": '"api.requests";q=6;w=60, "ai.tokens";q=850;qu="ai.tokens";w=2592000',
        "ratelimit": '"api.requests";r=5;t=10, "ai.tokens";r=800;t=2332800',
        "x-ratelimit-limit": "6",
        "x-ratelimit-remaining": "5",
        "x-ratelimit-reset": str(NOW // SECOND_US + 10),
    }


def test_a_refusal_says_when_and_where_and_nothing_of_a_model_or_of_capacity() -> None:
    counters, terms = Counters(), terms_from(DECISION)
    while (verdict := counters.admit(terms, Ask(), NOW)).passes:
        pass
    fields = dict(limit_fields(verdict, NOW))
    body = refusal_body(verdict, plan_url="https://example.com/plan")
    assert fields["retry-after"] == "10"
    assert ";r=0;t=10" in fields["ratelimit"]
    document = json.loads(body)
    assert document["status"] == 429
    assert document["planUrl"] == "https://example.com/plan"
    assert document["violated-policies"] == ["api.requests"]
    assert document["retryAfterSeconds"] == 10
    said = body.decode() + " ".join(fields.values())
    assert not re.search(
        r"probab|churn|upsell|upgrade_effect|overload|capacity|busy|unavailable|0\.92", said, re.I
    )


def test_concurrency_is_told_in_its_own_unit() -> None:
    terms = terms_from(DECISION)
    limit = next(part for part in terms.limits if part.kind is LimitKind.CONCURRENCY)
    verdict = queue_refusal(terms, limit)
    fields = dict(limit_fields(verdict, NOW))
    assert fields["ratelimit-policy"] == '"workflows.concurrent";q=17;qu="concurrent-requests"'
    assert fields["retry-after"] == "1"
    assert "17 at the same time" in refusal_body(verdict, plan_url=None).decode()


def test_a_pattern_with_quotes_cannot_break_the_fields() -> None:
    limit = LimitTerms(meter='a"\\\r\nx', kind=LimitKind.RATE, limit=1, window_seconds=60)
    terms = Terms(tenant_id="t", limits=(limit,), source="fresh")
    verdict = Counters().admit(terms, Ask(units={limit.meter: 1}), NOW)
    assert dict(limit_fields(verdict, NOW))["ratelimit"] == '"a\\"\\\\??x";r=0;t=60'


def test_nothing_is_told_where_nothing_is_limited() -> None:
    verdict = Counters().admit(Terms(tenant_id="t", limits=(), source="fresh"), Ask(), NOW)
    assert limit_fields(verdict, NOW) == []


def test_fields_that_only_we_may_set_are_known() -> None:
    assert all(is_ours(name) for name in ("flyball-state", "x-flyball-limit", "ratelimit"))
    assert not is_ours("authorization")
