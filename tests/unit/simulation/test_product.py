from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulation.product import CommandLine, ProductFailed, Service, read_decisions

FAKE = """
import json, sys
args = sys.argv[1:]
log = open(args[1] + "/log", "a")
log.write(json.dumps(args) + "\\n")
if "decide" in args:
    out = args[args.index("--out") + 1]
    arms = {"a": 0.85, "b": 1.0}
    rows = [{"tenantId": t, "dynamicMultiplier": m} for t, m in arms.items()]
    open(out, "w").write("\\n".join(map(json.dumps, rows)))
if "refuse" in args:
    sys.exit("flyball: no.")
"""


@pytest.mark.parametrize("suffix", [".ndjson", ".json", ".parquet"])
def test_decisions_are_read_from_every_format(tmp_path: Path, suffix: str) -> None:
    rows = [{"tenant_id": "a", "multiplier": 0.7}, {"tenant_id": "b", "multiplier": 1.15}]
    path = tmp_path / f"decisions{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("\n".join(json.dumps(row) for row in rows))
    assert read_decisions(path) == {"a": 70, "b": 115}


def test_a_row_without_a_multiplier_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.ndjson"
    path.write_text('{"tenantId": "a"}\n')
    with pytest.raises(ProductFailed, match="no tenant and multiplier"):
        read_decisions(path)


def test_the_command_line_decides_live_and_takes_in(tmp_path: Path) -> None:
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    command = (sys.executable, str(script), "--home", str(tmp_path))
    product = CommandLine(command, tmp_path / "out", ("--policy", "value"))
    assert product.arms(490_000, ["a", "c"]) == {"a": 85}
    product.take_in(tmp_path / "week")
    decided, took = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert decided[2:8] == [
        "decide",
        "--as-of",
        "2025-11-24T16:00:00Z",
        "--mode",
        "live",
        "--policy",
    ]
    assert took[2:] == ["import", str(tmp_path / "week")]


def test_a_failing_command_says_what_it_said(tmp_path: Path) -> None:
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    product = CommandLine(
        (sys.executable, str(script), str(tmp_path), str(tmp_path), "refuse"), tmp_path
    )
    with pytest.raises(ProductFailed, match="flyball: no"):
        product.take_in(tmp_path)


@pytest.fixture
def service() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/decisions:batchGet"
            assert self.headers["Authorization"] == "Bearer secret"
            rows = [{"tenantId": t, "dynamicMultiplier": 1.15} for t in body["tenantIds"]]
            answer = json.dumps({"decisions": rows}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_service_is_asked_in_batches(service: str) -> None:
    tenants = [f"t{i}" for i in range(1_200)]
    product = Service(service, lambda folder: None, "secret")
    assert product.arms(0, tenants) == dict.fromkeys(tenants, 115)


def test_a_service_that_is_down_is_named() -> None:
    product = Service("http://127.0.0.1:9", lambda folder: None)
    with pytest.raises(ProductFailed, match=r"127\.0\.0\.1:9 did not answer"):
        product.arms(0, ["a"])
