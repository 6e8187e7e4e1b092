"""The fast path answers what the framework would, and leaves everything odd to it."""

from __future__ import annotations

import json
import socket
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.service.running import Service, entry, read_answer

HOST = b"Host: localhost\r\n"


def get(target: bytes, headers: bytes = HOST) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + headers + b"\r\n"


def split(answer: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in lines[1:])
    }
    return int(lines[0].split()[1]), headers, body


def test_a_lookup_has_the_documented_answer(service: Service) -> None:
    status, headers, body = split(service.raw(get(b"/v1/decisions/ent_1")))
    answer = json.loads(body)
    assert status == 200
    assert headers[b"content-type"] == b"application/json"
    assert answer["tenantId"] == "ent_1"
    assert (answer["baseLimit"], answer["dynamicMultiplier"]) == (10_000, 0.85)
    assert (answer["effectiveLimit"], answer["enforceFriction"]) == (8_500, True)
    assert answer["upsellProbability"] == 0.92
    assert answer["source"] == "fresh"


def test_an_alias_answers_for_its_tenant(service: Service) -> None:
    _, _, body = split(service.raw(get(b"/v1/decisions/key_1")))
    assert json.loads(body)["tenantId"] == "ent_1"


def test_an_unknown_tenant_is_left_alone(service: Service) -> None:
    _, _, body = split(service.raw(get(b"/v1/decisions/nobody")))
    answer = json.loads(body)
    assert answer["dynamicMultiplier"] == 1.0
    assert answer["baseLimit"] is None
    assert answer["enforceFriction"] is False
    assert answer["source"] == "unknown_tenant"


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    name=st.one_of(
        st.sampled_from([b"ent_1", b"ent_2", b"key_1", b"..", b"a..b", b"-x", b"", b"a" * 129]),
        st.text(alphabet="abz09_.:@|+=~-%/?#& \\\"<>'{}", min_size=1, max_size=24).map(str.encode),
    )
)
def test_both_paths_give_the_same_answer(service: Service, name: bytes) -> None:
    target = b"/v1/decisions/" + name
    # `Connection: keep-alive` changes nothing but sends the request through the framework.
    fast = split(service.raw(get(target)))
    slow = split(service.raw(get(target, HOST + b"Connection: keep-alive\r\n")))
    assert fast[0] == slow[0]
    assert fast[2] == slow[2]


ON_A_LINE = st.lists(
    st.tuples(
        st.sampled_from(
            (
                *(b"ent_1", b"ent_2", b"key_1", b"nobody", b"a..b", b"-x", b"", b"ent_1/"),
                *(b"ent_1?a=1", b"ent%5F1", b"a" * 129, b"ent_1:evaluate", b"ent_1\tHTTP"),
            )
        ),
        st.sampled_from([HOST, b"host: localhost\r\nx-request: 1\r\n", b"Host: elsewhere\r\n"])
        | st.just(HOST + b"Connection: keep-alive\r\n"),
    ),
    min_size=2,
    max_size=6,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(ON_A_LINE)
def test_what_a_connection_asked_before_changes_no_answer(
    service: Service, asked: list[tuple[bytes, bytes]]
) -> None:
    alone = [split(service.raw(get(b"/v1/decisions/" + name, head))) for name, head in asked]
    sock = socket.create_connection(("127.0.0.1", service.port), timeout=5)
    try:
        for (name, head), (status, _, body) in zip(asked, alone, strict=True):
            sock.sendall(get(b"/v1/decisions/" + name, head))
            found = split(read_answer(sock))
            assert (found[0], found[2]) == (status, body)
            if status == 400:  # not HTTP: the server closes
                sock.close()
                sock = socket.create_connection(("127.0.0.1", service.port), timeout=5)
    finally:
        sock.close()


def test_a_connection_that_was_let_in_is_asked_for_its_token_once_there_is_one(
    service: Service,
) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
        for _ in range(3):
            sock.sendall(get(b"/v1/decisions/ent_1"))
            assert split(read_answer(sock))[0] == 200
        service.home.tokens.write_text("[]")
        service.worker.tokens.refresh(service.worker.now_us())
        sock.sendall(get(b"/v1/decisions/ent_1"))
        assert split(read_answer(sock))[0] == 401


def test_lookups_are_counted_whichever_way_they_go(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
        for name in (b"ent_1", b"ent_1", b"nobody", b"key_1"):
            sock.sendall(get(b"/v1/decisions/" + name))
            assert split(read_answer(sock))[0] == 200
    assert service.worker.tally.lookups == 4
    service.worker.refresh()
    counted = service.worker.metrics.lookups.labels("fresh")
    assert counted._value.get() == 4


def test_bytes_in_pieces_are_answered_once_whole(service: Service) -> None:
    request = get(b"/v1/decisions/ent_1")
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
        for part in (request[:10], request[10:30], request[30:]):
            sock.sendall(part)
            time.sleep(0.02)
        assert split(read_answer(sock))[0] == 200


def test_pipelined_lookups_are_each_answered_in_order(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
        sock.sendall(get(b"/v1/decisions/ent_1") + get(b"/v1/decisions/ent_2"))
        seen = b""
        while seen.count(b'"tenantId"') < 2:
            seen += sock.recv(65536)
    assert seen.index(b"ent_1") < seen.index(b"ent_2")


def test_a_body_that_looks_like_a_lookup_is_never_one(service: Service) -> None:
    """Request smuggling: the parser still owes the connection a body."""
    smuggled = get(b"/v1/decisions/ent_1")
    head = (
        b"POST /nowhere HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % (len(smuggled) + 5)
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
        sock.sendall(head)
        status, _, _ = split(read_answer(sock))
        assert status == 404
        sock.sendall(smuggled)
        sock.settimeout(0.3)
        try:
            late = sock.recv(65536)
        except TimeoutError:
            late = b""
    assert b"ent_1" not in late


def test_a_repeated_or_folded_header_goes_to_the_parser(service: Service) -> None:
    for headers in (
        HOST + HOST,
        HOST + b"X-A: 1\r\n folded\r\n",
        HOST + b"Bad Name: 1\r\n",
        b"host localhost\r\n",
    ):
        answer = service.raw(get(b"/v1/decisions/ent_1", headers))
        # Whatever uvicorn says of it, it was uvicorn that read it.
        assert split(answer)[0] in (200, 400, 401)


def test_a_change_is_served_within_two_seconds(service: Service) -> None:
    now_us = time.time_ns() // 1_000
    service.writer.publish_changes([entry("ent_1", 100)], created_us=now_us, as_of_us=now_us)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        answer = json.loads(split(service.raw(get(b"/v1/decisions/ent_1")))[2])
        if answer["dynamicMultiplier"] == 1.0:
            break
        time.sleep(0.05)
    assert answer["dynamicMultiplier"] == 1.0


def test_the_kill_switch_works_with_everything_else_down(service: Service) -> None:
    service.home.kill.parent.mkdir(parents=True, exist_ok=True)
    service.home.kill.touch()
    time.sleep(0.6)
    answer = json.loads(split(service.raw(get(b"/v1/decisions/ent_1")))[2])
    assert answer["dynamicMultiplier"] == 1.0
    assert answer["reasons"] == ["kill_switch"]
    service.home.kill.unlink()
    time.sleep(0.6)
    answer = json.loads(split(service.raw(get(b"/v1/decisions/ent_1")))[2])
    assert answer["dynamicMultiplier"] == 0.85
