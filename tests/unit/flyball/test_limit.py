"""Limits of every kind: what a plan may state, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.arm import ArmGrid, keeps_contracts
from flyball.effective import effective_limits
from flyball.endpoint import Endpoint, endpoint_for
from flyball.errors import InvalidInput
from flyball.limit import Limit, LimitKind, MeterLimit, limit_document, limit_from
from flyball.plan import plan_from

_EXPORTS = {"POST /v1/exports": {"weight": 10, "base": 100, "contract": 90}}


@pytest.mark.parametrize(
    "document",
    [
        {"base": 10, "contract": 8, "per": "minute", "kind": "rate"},
        {"base": 10, "contract": 8, "per": "hour", "kind": "rate", "burst": 5},
        {"base": 10, "contract": 8, "per": "month", "kind": "quota", "soft": 80, "paid": True},
        {"base": 10, "contract": 8, "per": "minute", "kind": "storage", "soft": 90},
        {"base": 10, "contract": 8, "per": "minute", "kind": "rate", "endpoints": _EXPORTS},
        {"base": 9, "contract": 8, "per": "day", "kind": "rate", "endpoints": {"/": {"weight": 0}}},
    ],
)  # fmt: skip
def test_a_limit_is_read_back_as_it_was_written(document: dict[str, Any]) -> None:
    assert limit_document(limit_from(document)) == document


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"kind": "storage", "burst": 5}, "burst"),
        ({"kind": "rate", "soft": 80}, "soft"),
        ({"kind": "rate", "paid": True}, "paid"),
        ({"kind": "storage", "endpoints": _EXPORTS}, "endpoints"),
        ({"kind": "quota", "soft": 101}, "soft"),
        ({"kind": "quota", "paid": "yes"}, "paid"),
        ({"burst": 0}, "burst"),
        ({"endpoints": {"v1/exports": {}}}, "v1/exports"),
        ({"endpoints": {"/a*b": {}}}, "/a*b"),
        ({"endpoints": {'/a"b': {}}}, '/a"b'),
        ({"endpoints": {"/a b": {}}}, "/a b"),
        ({"endpoints": {"/a": {"weight": -1}}}, "weight"),
        ({"endpoints": {"/a": {"weight": 1.5}}}, "weight"),
        ({"endpoints": {"/a": {"wait": 1}}}, "wait"),
        ({"endpoints": {"/a": {"contract": 5}}}, "contract"),
        ({"endpoints": {"/a": {"base": 5, "contract": 6}}}, "contract"),
        ({"endpoints": {f"/{n}": {} for n in range(65)}}, "64"),
    ],
)
def test_what_means_nothing_is_refused_by_name(changes: dict[str, Any], word: str) -> None:
    entry = {
        "plan": "pro", "rank": 1, "monthly_price_minor": 1, "currency": "EUR",
        "primary_meter": "api.requests", "limits": {"api.requests": {"base": 10, **changes}},
    }  # fmt: skip
    with pytest.raises(InvalidInput, match="plan pro") as caught:
        plan_from(entry)
    assert word in str(caught.value)


def test_concurrency_and_storage_have_no_window() -> None:
    seconds = {
        kind: Limit(base=1, contract=1, per="hour", kind=kind).counting_seconds
        for kind in LimitKind
    }
    assert seconds == {"rate": 3_600, "quota": 3_600, "concurrency": None, "storage": None}


def test_an_arm_below_an_endpoints_contract_is_not_offered() -> None:
    endpoint = Endpoint(pattern="/v1/exports", base=100, contract=90)
    limit = Limit(base=1_000, contract=500, endpoints=(endpoint,))
    assert ArmGrid().allowed([limit]) == (100, 115, 130)
    assert not keeps_contracts(85, [limit])
    # Rounding up counts: 85 % of 3 is still 3.
    small = Limit(base=1_000, contract=500, endpoints=(Endpoint(pattern="/a", base=3, contract=3),))
    assert ArmGrid().allowed([small]) == (70, 85, 100, 115, 130)


def test_an_endpoints_own_limit_follows_the_arm() -> None:
    endpoints = (Endpoint(pattern="/a", base=101, contract=50), Endpoint(pattern="/b", weight=7))
    item = MeterLimit("api.requests", Limit(base=1_000, contract=500, endpoints=endpoints))
    (limit,) = effective_limits([item], 85)
    assert [(e.weight, e.base_limit, e.effective_limit) for e in limit.endpoints] == [
        (1, 101, 86),
        (7, None, None),
    ]


@pytest.mark.parametrize(
    ("method", "path", "pattern"),
    [
        ("GET", "/v1/search", "/v1/search*"),
        ("GET", "/v1/search/deep", "/v1/search*"),
        ("POST", "/v1/exports", "POST /v1/exports"),
        ("POST", "/v1/exports?x=/v1/search", "POST /v1/exports"),
        ("GET", "/v1/exports", "/v1/exports"),
        ("GET", "/v1/exportsX", "/v1/*"),
        ("GET", "/v2", None),
        ("", "", None),
    ],
)
def test_the_longest_pattern_wins_then_the_one_with_a_method(
    method: str, path: str, pattern: str | None
) -> None:
    patterns = ["/v1/*", "/v1/search*", "/v1/exports", "POST /v1/exports", "/v1/exports*"]
    for order in (patterns, patterns[::-1]):
        rules = [Endpoint(pattern=text) for text in order if text != "/v1/exports*"]
        found = endpoint_for(rules, method, path)
        assert (found and found.pattern) == pattern
