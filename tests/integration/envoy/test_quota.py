"""RLQS: assignments pushed within two seconds, shared out; usage reported becomes telemetry."""

from __future__ import annotations

import queue
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from flyball.errors import StorageError
from serving.envoy import messages_pb2 as pb
from telemetry.sqlite_store import SqliteEventStore
from tests.integration.envoy.running import Envoy
from tests.integration.service.running import entry


class Stream:
    """One Envoy's stream: sends reports, reads assignments."""

    def __init__(self, envoy: Envoy) -> None:
        self._out: queue.Queue[Any] = queue.Queue()
        self.call = envoy.quotas(iter(self._out.get, None))
        self._in: Iterator[Any] = iter(self.call)

    def report(
        self, tenant: str, allowed: int = 0, denied: int = 0, *, domain: str = "d", **labels: str
    ) -> None:
        message = pb.RateLimitQuotaUsageReports(domain=domain)
        usage = message.bucket_quota_usages.add()
        usage.bucket_id.bucket.update({"tenant": tenant} | labels)
        usage.time_elapsed.seconds = 5
        usage.num_requests_allowed, usage.num_requests_denied = allowed, denied
        self._out.put(message)

    def actions(self) -> dict[str, Any]:
        """The next message: tenant to action."""
        return {a.bucket_id.bucket["tenant"]: a for a in next(self._in).bucket_action}

    def bucket(self, tenant: str) -> Any:
        return self.actions()[tenant].quota_assignment_action.rate_limit_strategy.token_bucket

    def close(self) -> None:
        self._out.put(None)
        self.call.cancel()


@pytest.fixture
def stream(envoy: Envoy) -> Iterator[Stream]:
    made = Stream(envoy)
    yield made
    made.close()


def events_of(envoy: Envoy) -> list[tuple[str, str, float]]:
    store = SqliteEventStore(envoy.home.events)
    try:
        return sorted((e.tenant_id, e.meter, e.quantity) for e in store.events_since(0))
    finally:
        store.close()


def eventually(envoy: Envoy, count: int) -> list[tuple[str, str, float]]:
    deadline = time.monotonic() + 10
    while len(found := events_of(envoy)) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_the_first_report_subscribes_and_is_assigned_the_limit(stream: Stream) -> None:
    stream.report("ent_1")
    action = stream.actions()["ent_1"].quota_assignment_action
    assert action.assignment_time_to_live.seconds == 10
    bucket = action.rate_limit_strategy.token_bucket
    assert (bucket.max_tokens, bucket.tokens_per_fill.value) == (9, 9)
    assert bucket.fill_interval.seconds == 60


def test_a_changed_decision_is_pushed_within_two_seconds(envoy: Envoy, stream: Stream) -> None:
    stream.report("ent_1")
    assert stream.bucket("ent_1").max_tokens == 9
    began = time.monotonic()
    envoy.publish(entry("ent_1", 130, base=10), entry("ent_2", 100, base=10))
    assert stream.bucket("ent_1").max_tokens == 13
    assert time.monotonic() - began < 2.0


def test_an_unchanged_assignment_is_renewed_before_it_runs_out(stream: Stream) -> None:
    stream.report("ent_1")
    stream.actions()
    began = time.monotonic()
    again = stream.actions()["ent_1"].quota_assignment_action
    assert 3.0 < time.monotonic() - began < 10.0
    assert again.assignment_time_to_live.seconds == 10


def test_envoys_with_the_same_bucket_share_the_limit(envoy: Envoy, stream: Stream) -> None:
    stream.report("ent_2")
    assert stream.bucket("ent_2").max_tokens == 10
    other = Stream(envoy)
    other.report("ent_2")
    assert other.bucket("ent_2").max_tokens == 5
    assert stream.bucket("ent_2").max_tokens == 5
    other.close()
    assert stream.bucket("ent_2").max_tokens == 10


def test_who_is_not_known_may_pass(stream: Stream) -> None:
    stream.report("nobody")
    strategy = stream.actions()["nobody"].quota_assignment_action.rate_limit_strategy
    assert strategy.WhichOneof("strategy") == "blanket_rule"
    assert strategy.blanket_rule == pb.RateLimitStrategy.ALLOW_ALL


def test_reported_usage_is_telemetry_once(envoy: Envoy, stream: Stream) -> None:
    stream.report("ent_1", 7, 2)
    stream.actions()
    stream.report("ent_1", 5)
    found = eventually(envoy, 3)
    assert found == [
        ("ent_1", "api.blocked", 2.0),
        ("ent_1", "api.requests", 5.0),
        ("ent_1", "api.requests", 9.0),
    ]


def test_usage_waits_while_the_event_log_cannot_be_written_and_counts_once(
    envoy: Envoy, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = envoy.worker.events
    append, failures = store.append, iter([True, False])

    def unreliable(events: Any, resolve: Any) -> Any:
        first = next(failures, None)
        if first is True:
            raise StorageError("The disk is full.")
        receipt = append(events, resolve)
        if first is False:
            # Committed, but the answer was lost: the same events come again.
            raise StorageError("The connection broke.")
        return receipt

    monkeypatch.setattr(store, "append", unreliable)
    stream.report("ent_1", 4)
    assert eventually(envoy, 1) == [("ent_1", "api.requests", 4.0)]
    time.sleep(0.6)
    assert events_of(envoy) == [("ent_1", "api.requests", 4.0)]


def test_what_was_read_before_a_stop_is_kept(envoy: Envoy, stream: Stream) -> None:
    for _ in range(20):
        stream.report("ent_2", 1)
    stream.actions()
    assert len(eventually(envoy, 20)) == 20


def test_a_stream_that_names_no_domain_is_refused_with_the_reason(envoy: Envoy) -> None:
    stream = Stream(envoy)
    stream.report("ent_1", domain="")
    with pytest.raises(grpc.RpcError) as refused:
        stream.actions()
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "domain" in refused.value.details()
    stream.close()


def test_the_messages_are_compiled_from_what_lies_beside_them(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    root = Path(__file__).parents[3]
    name = "serving/envoy/messages.proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={tmp_path}", name]
    subprocess.run(command, cwd=root, check=True)
    made = (tmp_path / name.replace(".proto", "_pb2.py")).read_text()
    marker = "AddSerializedFile("
    there = (root / name.replace(".proto", "_pb2.py")).read_text()
    assert (
        made.partition(marker)[2].partition("\n")[0]
        == there.partition(marker)[2].partition("\n")[0]
    )
