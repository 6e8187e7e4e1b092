"""Which request a gateway asks about, whatever its way of saying so."""

from __future__ import annotations

import pytest

from flyball.enforcement.counters import Ask
from serving.forward_auth.endpoint import PATH, _ask


@pytest.mark.parametrize(
    ("headers", "path", "asked"),
    [
        (
            {b"x-forwarded-method": b"post", b"x-forwarded-uri": b"/exports?all=1"},
            PATH,
            Ask(method="POST", path="/exports"),
        ),
        (
            {b"x-original-method": b"PUT", b"x-original-uri": b"/a%20b"},
            PATH,
            Ask(method="PUT", path="/a b"),
        ),
        ({b"x-original-url": b"/reports"}, PATH, Ask(method="GET", path="/reports")),
        # Envoy appends the original path; a header that says more wins.
        ({}, f"{PATH}/exports/7", Ask(method="GET", path="/exports/7")),
        ({b"x-forwarded-uri": b"/real"}, f"{PATH}/other", Ask(method="GET", path="/real")),
        ({}, PATH, Ask(method="GET", path="/")),
    ],
)
def test_the_original_request_is_judged_and_not_the_question(
    headers: dict[bytes, bytes], path: str, asked: Ask
) -> None:
    assert _ask(headers, {"method": "GET", "path": path}) == asked
