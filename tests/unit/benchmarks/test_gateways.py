"""What the gateways' benchmark compares: shipped configurations, and these without Flyball."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.gateway_rounds import Way, added_us
from benchmarks.gateway_setups import (
    SHIPPED,
    Kind,
    auth_request_text,
    caddy_text,
    envoy_text,
    haproxy_text,
    nginx_lua_text,
    replaced,
    without,
)


def plain_configurations() -> dict[str, str]:
    def shipped(path: str) -> str:
        return (SHIPPED / path).read_text()

    return {
        "nginx.conf": nginx_lua_text(shipped("nginx/nginx.conf"), Kind.PLAIN),
        "auth_request.conf": auth_request_text(
            shipped("nginx/auth_request.conf"), Kind.PLAIN, Path("/somewhere")
        ),
        "haproxy.cfg": haproxy_text(shipped("haproxy/haproxy.cfg"), Kind.PLAIN),
        "Caddyfile": caddy_text(shipped("caddy/Caddyfile"), Kind.PLAIN),
        "forward-auth.yaml": envoy_text(shipped("envoy/forward-auth.yaml"), Kind.PLAIN),
        "ext-authz.yaml": envoy_text(shipped("envoy/ext-authz.yaml"), Kind.PLAIN),
    }


@pytest.mark.parametrize("name", sorted(plain_configurations()))
def test_without_flyball_a_gateway_still_knows_keys_and_asks_nobody(name: str) -> None:
    text = plain_configurations()[name]
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert "api" in code.lower()
    for word in ("lua", "auth_request", "/v1/authorize", "ext_authz", "stick-table", "unix//"):
        assert word not in code, word


def test_a_configuration_that_has_changed_is_not_measured_unnoticed() -> None:
    with pytest.raises(ValueError, match="not in the configuration"):
        replaced("listen 80;", {"listen 81;": "listen 82;"})
    with pytest.raises(ValueError, match="matches nothing"):
        without("listen 80;", "^auth_request .*$")


def test_what_is_added_is_the_median_of_differences_within_a_round() -> None:
    ours, base = Way(1, True, p50_us=[90.0, 500.0, 80.0]), Way(2, False, p50_us=[50.0, 470.0, 60.0])
    assert added_us((ours, base), "p50_us") == 30.0
    assert base.noise_us == 210.0
