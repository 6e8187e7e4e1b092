"""Lines for gateways: exactly the columns of the reference."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flyball.errors import InvalidInput
from serving.node.haproxy_maps import HaproxyMaps, map_values
from serving.node.lines import decision_line, gone_line, is_writable, read_decision

DECISION = {
    "tenantId": "ent_88492",
    "baseLimit": 10000,
    "enforceFriction": True,
    "effectiveLimit": 8500,
    "limits": [
        {
            "meter": "api.requests",
            "kind": "rate",
            "baseLimit": 10000,
            "effectiveLimit": 8500,
            "windowSeconds": 60,
            "burst": 500,
            "endpoints": [
                {
                    "pattern": "POST /v1/a,b;c%",
                    "weight": 10,
                    "baseLimit": 100,
                    "effectiveLimit": 85,
                },
                {"pattern": "/v1/s*", "weight": 5, "baseLimit": None, "effectiveLimit": None},
            ],
        },
        {
            "meter": "ai.tokens",
            "kind": "quota",
            "baseLimit": 1000,
            "effectiveLimit": 850,
            "windowSeconds": 2592000,
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
    "source": "fresh",
}


def line(**changes: object) -> list[str]:
    decision = read_decision(json.dumps({**DECISION, **changes}).encode())
    text = decision_line("key_1", decision)
    assert text.endswith("\n")
    return text[:-1].split("\t")


def test_a_line_has_the_columns_of_the_reference() -> None:
    patterns = "POST /v1/a%2Cb%3Bc%25,10,100,85;/v1/s*,5,0,0"
    assert line() == [
        *("key_1", "ent_88492", "1", "3"),
        *("api.requests", "rate", "10000", "8500", "60", "500", "0", "0", patterns),
        *("ai.tokens", "quota", "1000", "850", "2592000", "0", "80", "1", "-"),
        *("workflows.concurrent", "concurrency", "20", "17", "0", "0", "0", "0", "-"),
    ]


def test_without_friction_no_number_is_below_its_base() -> None:
    columns = line(enforceFriction=False)
    assert [columns[7], columns[16], columns[25]] == ["10000", "1000", "20"]
    assert ",100,100;" in columns[12]


def test_a_tenant_without_limits_has_none() -> None:
    assert line(limits=None) == ["key_1", "ent_88492", "1", "0"]


def test_what_is_gone_is_a_short_line() -> None:
    assert gone_line("key_1") == "key_1\t-\n"


def test_names_that_would_break_a_line_are_left_out() -> None:
    for name in ("", "a\tb", "a b", "a\nb", "#a", "\u0007"):
        assert not is_writable(name)
    assert is_writable("fbk_9-x:y@z")


def test_haproxys_maps_hold_the_first_of_each_kind() -> None:
    decision = read_decision(json.dumps(DECISION).encode())
    assert map_values(decision) == {
        "tenant": "ent_88492",
        "limit": "8500",
        "window": "60",
        "concurrency": "17",
    }


def test_a_name_cannot_smuggle_a_command_into_haproxy(tmp_path: Path) -> None:
    maps = HaproxyMaps(tmp_path, None)
    decision = read_decision(json.dumps(DECISION).encode())
    for name in ("key;shutdown", "key<<", "key\\", "key#", "ent_1"):
        maps.follow(name, decision)
    maps.write_files()
    assert (tmp_path / "limit.map").read_text() == "ent_1 8500\n"
    with pytest.raises(InvalidInput, match="commands"):
        HaproxyMaps(tmp_path / "a;b", None)
