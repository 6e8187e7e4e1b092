"""Asking the provider: what is too much, too odd or elsewhere is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from console.access.openid_fetch import (
    MOST_BYTES,
    ProviderFailed,
    ProviderRefused,
    fetch_document,
)

Answer = Callable[[BaseHTTPRequestHandler], None]


def say(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **more: str) -> None:
    handler.send_response(status)
    for name, value in more.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    # As long as the caller listens, a byte at a time.
    while not handler.server.over.wait(0.01):  # type: ignore[attr-defined]
        handler.wfile.write(b" ")


ANSWERS: dict[str, Answer] = {
    "/right": lambda h: say(h, b'{"a": 1}'),
    "/list": lambda h: say(h, b"[]"),
    "/text": lambda h: say(h, b"<html>"),
    "/deep": lambda h: say(h, b"[" * 200_000),
    "/large": lambda h: say(h, json.dumps({"a": "x" * MOST_BYTES}).encode()),
    "/elsewhere": lambda h: say(h, b"", 302, Location="/right"),
    "/no": lambda h: say(h, b'{"error": "invalid_grant", "error_description": "<b>"}', 400),
    "/odd": lambda h: say(h, b'{"error": "<script>"}', 400),
    "/broken": lambda h: say(h, b"", 500),
    "/drip": drip,
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        try:
            ANSWERS[self.path](self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.over = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{found.server_port}"
    found.over.set()  # type: ignore[attr-defined]
    found.shutdown()
    found.server_close()
    thread.join(5)


def test_a_document_is_read(server: str) -> None:
    assert fetch_document(f"{server}/right") == {"a": 1}


@pytest.mark.parametrize("path", ["list", "text", "deep", "large", "elsewhere", "odd", "broken"])
def test_anything_else_is_a_failure(server: str, path: str) -> None:
    with pytest.raises(ProviderFailed) as error:
        fetch_document(f"{server}/{path}")
    assert not isinstance(error.value, ProviderRefused)


def test_a_provider_that_drips_is_left(server: str) -> None:
    with pytest.raises(ProviderFailed, match="too long"):
        fetch_document(f"{server}/drip", deadline_seconds=0.1)


def test_a_refusal_tells_its_code_alone(server: str) -> None:
    with pytest.raises(ProviderRefused) as error:
        fetch_document(f"{server}/no")
    assert error.value.error == "invalid_grant"
    assert "<b>" not in str(error.value)


@pytest.mark.parametrize(
    "address", ["http://id.example.com/", "file:///etc/passwd", "ftp://localhost/", "https:///x"]
)
def test_secrets_go_nowhere_in_the_clear(address: str) -> None:
    with pytest.raises(ProviderFailed, match="https"):
        fetch_document(address)


def test_nobody_there_is_a_failure() -> None:
    with pytest.raises(ProviderFailed, match="does not answer"):
        fetch_document("http://127.0.0.1:1/")
