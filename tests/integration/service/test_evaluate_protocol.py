"""Evaluations from the socket's bytes: the same answers as the endpoint's, in order, none lost."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.errors import BundleCorrupt
from serving.evaluating.layout import FILE_NAME
from serving.evaluating.protocol import Desk, EvaluateProtocol
from serving.evaluating.verdict import NOTHING, Busy
from tests.integration.service.running import Service, read_answer

HOST = b"Host: localhost\r\n"
#: Changes nothing, but sends a request through the parser and the endpoint.
ODD = b"Connection: keep-alive\r\n"


def post(name: bytes, body: bytes = b"{}", headers: bytes = HOST) -> bytes:
    line = b"POST /v1/decisions/" + name + b":evaluate HTTP/1.1\r\n"
    return line + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


def get(name: bytes) -> bytes:
    return b"GET /v1/decisions/" + name + b" HTTP/1.1\r\n" + HOST + b"\r\n"


def told(answer: bytes) -> tuple[int, Any]:
    """Status and body, but for when it was."""
    head, _, raw = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    if b"json" not in head:
        return status, raw
    body = json.loads(raw)
    body.pop("evaluatedAt", None)
    return status, body


def read_all(sock: socket.socket, words: int) -> bytes:
    seen = b""
    while seen.count(b'"tenantId"') < words:
        part = sock.recv(65536)
        assert part, seen
        seen += part
    return seen


def test_plain_evaluations_are_taken_from_the_bytes_and_odd_ones_are_not(service: Service) -> None:
    desk = Desk(service.worker)
    read = desk.read(post(b"ent_1", b'{"demand": 4}'))
    assert read is not None
    assert (read[0], read[1].demand) == (b"ent_1", 4.0)
    assert desk.read(post(b"ent_1", b"")) is not None
    for odd in (
        post(b"ent_1", headers=HOST + ODD),
        post(b"ent_1", headers=HOST + b"Transfer-Encoding: chunked\r\n"),
        post(b"ent_1", headers=HOST + b"Expect: 100-continue\r\n"),
        post(b"ent_1", headers=HOST + b"Content-Length: 2\r\n"),
        post(b"ent_1", headers=HOST + b"Content-Length : 2\r\n"),
        post(b"ent_1", headers=HOST + b"Content-Length: +2\r\n"),
        post(b"ent_1", headers=HOST + HOST),
        post(b"ent_1", headers=HOST + b"X: a\r\n b\r\n"),
        post(b"ent_1", headers=HOST + b"X: a\nContent-Length: 9\r\n"),
        post(b"ent_1", headers=b""),
        post(b"ent_1", headers=b"Host: elsewhere.example\r\n"),
        post(b"a..b"),
        post(b"a/b"),
        post(b"a%62"),
        post(b"ent_1", b'{"demand": -1}'),
        post(b"ent_1", b"{"),
        post(b"ent_1") + b"x",
        post(b"ent_1")[:-1],
        post(b"ent_1").replace(b"HTTP/1.1", b"HTTP/1.0"),
    ):
        assert desk.read(odd) is None, odd


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.one_of(
        st.sampled_from([b"ent_1", b"key_1", b"nobody", b"..", b"-x", b"a" * 129, b"a:evaluate"]),
        st.text(alphabet="abz09_.:@|+=~-%/?#& \\\"<>'{}", min_size=1, max_size=24).map(str.encode),
    ),
    body=st.sampled_from(
        [b"", b" ", b"{}", b'{"demand":1e3}', b'{"endpoint":"/v1/x"}', b'{"demand":-1}', b"[", b"1"]
    ),
)
def test_both_ways_give_the_same_answer(service: Service, name: bytes, body: bytes) -> None:
    fast = told(service.raw(post(name, body)))
    slow = told(service.raw(post(name, body, HOST + ODD)))
    assert fast == slow


def test_an_evaluation_has_the_documented_head(service: Service) -> None:
    head = service.raw(post(b"ent_1")).partition(b"\r\n\r\n")[0].lower()
    assert head.startswith(b"http/1.1 200 ok\r\n")
    for header in (b"content-type: application/json", b"cache-control: no-store", b"date: "):
        assert header in head


def test_what_follows_an_evaluation_is_answered_after_it(service: Service) -> None:
    """On one connection, in one piece and in several, whatever answers it."""
    asked = [post(b"ent_1"), get(b"ent_2"), post(b"key_1", b""), get(b"nobody"), post(b"ent_2")]
    for pause in (None, 0.0, 0.003):
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
            if pause is None:
                sock.sendall(b"".join(asked))
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for request in asked:
                    sock.sendall(request)
                    time.sleep(pause)
            seen = read_all(sock, 5)
        names = [part[1:].split(b'"')[0] for part in seen.split(b'"tenantId":')[1:]]
        assert names == [b"ent_1", b"ent_2", b"ent_1", b"nobody", b"ent_2"]
        kinds = [b'"evaluatedAt"' in part for part in seen.split(b'"tenantId":')[1:]]
        assert kinds == [True, False, True, False, True]


def test_a_body_in_pieces_is_answered_once_whole(service: Service) -> None:
    request = post(b"ent_1", b'{"demand": 12}')
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
        for part in (request[:60], request[60:-4], request[-4:]):
            sock.sendall(part)
            time.sleep(0.02)
        assert told(read_answer(sock))[0] == 200


def test_a_full_queue_and_a_failure_are_said_by_the_endpoint(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Busy("Too many evaluations wait.", "Try again in a moment.")

    with monkeypatch.context() as patch:
        patch.setattr(service.worker.evaluator, "ask", full)
        status, body = told(service.raw(post(b"ent_1")))
        assert (status, body["code"]) == (503, "busy")

    calls = []

    def once_failing(asked: list[Any]) -> list[Any]:
        calls.append(asked)
        if len(calls) == 1:
            raise RuntimeError("a surprise")
        return [NOTHING] * len(asked)

    monkeypatch.setattr(service.worker.evaluator, "_appraise", once_failing)
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
        sock.sendall(post(b"ent_1"))
        assert told(read_answer(sock))[0] == 200
        sock.sendall(get(b"ent_2"))
        assert told(read_answer(sock))[1]["tenantId"] == "ent_2"
    assert len(calls) == 2


def test_an_evaluation_under_way_is_answered_before_the_server_stops(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[tuple[EvaluateProtocol, Any, Any]] = []
    monkeypatch.setattr(service.worker.evaluator, "ask", lambda *asked: held.append(asked))
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
        sock.sendall(post(b"ent_1"))
        while not held:
            time.sleep(0.005)
        service.server.should_exit = True
        time.sleep(0.3)
        asker, answer, context = held[0]
        asker.evaluated(answer, context, NOTHING)
        asker.loop.call_soon_threadsafe(asker.answered)
        assert told(read_answer(sock))[0] == 200
        assert sock.recv(1) == b""


def test_lookups_go_on_while_models_are_loaded_and_the_evaluation_follows(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    (service.home.snapshot / FILE_NAME).write_bytes(b"something to open")
    begun, loaded = threading.Event(), threading.Event()

    def open_slowly() -> Exception:
        begun.set()
        assert loaded.wait(10)
        return BundleCorrupt("nothing that could be used")

    monkeypatch.setattr(service.worker.evaluator, "_open", open_slowly)
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as waiting:
        waiting.sendall(post(b"ent_1"))
        assert begun.wait(10)
        assert told(service.raw(get(b"ent_2")))[1]["tenantId"] == "ent_2"
        loaded.set()
        status, body = told(read_answer(waiting))
    assert (status, body["tenantId"], body["proposed"]) == (200, "ent_1", None)
