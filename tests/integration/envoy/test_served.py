"""``flyball serve`` keeps the gRPC server as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from serving.envoy import messages_pb2 as pb
from serving.envoy.server import AUTHORIZATION
from tests.integration.envoy.running import Envoy

ROOT = Path(__file__).parents[3]


@contextmanager
def serving(home: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "commands", "--home", str(home), "serve", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


def grpc_children(process: subprocess.Popen[bytes]) -> list[int]:
    """Process ids of the service's gRPC processes."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [
        int(pid)
        for pid in children
        if b"serving.grpc_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_it_answers_on_a_unix_socket_and_comes_back_when_killed(
    envoy: Envoy, tmp_path: Path
) -> None:
    address = f"unix:{tmp_path / 'envoy.sock'}"
    envoy.home.settings.write_text(f'[grpc]\nlisten = "{address}"\n')
    envoy.home.lock.parent.mkdir(exist_ok=True)
    request = pb.CheckRequest()
    request.attributes.request.http.headers["x-flyball-tenant"] = "ent_1"

    def multiplier() -> str:
        with grpc.insecure_channel(address) as channel:
            call = channel.unary_unary(
                f"/{AUTHORIZATION}/Check",
                pb.CheckRequest.SerializeToString,
                pb.CheckResponse.FromString,
            )
            response = call(request, timeout=30, wait_for_ready=True)
        fields = {item.header.key: item.header.value for item in response.ok_response.headers}
        return str(fields["x-flyball-multiplier"])

    with serving(envoy.home.root, "--port", "0", "--workers", "1", "--data-path-only") as process:
        assert multiplier() == "0.85"
        (first,) = grpc_children(process)
        os.kill(first, signal.SIGKILL)
        time.sleep(0.2)
        assert multiplier() == "0.85"
        (second,) = grpc_children(process)
        assert first != second


def test_without_a_token_it_is_not_served_beyond_this_machine(envoy: Envoy) -> None:
    envoy.home.settings.write_text('[grpc]\nlisten = "0.0.0.0:0"\n')
    with serving(envoy.home.root, "--port", "0", "--data-path-only") as process:
        assert process.wait(timeout=30) == 2
        assert process.stderr is not None
        assert b"token" in process.stderr.read()
