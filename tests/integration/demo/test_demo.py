"""The newcomer's one command, on a small population."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands.child import StepFailed, free_port, run
from commands.main import run as flyball

FIELDS = {
    *("tenantId", "baseLimit", "dynamicMultiplier", "enforceFriction", "upsellProbability"),
    *("churnProbability", "effectiveLimit", "windowSeconds", "reasons", "decisionId"),
    *("modelVersion", "policy", "source", "decidedAt", "expiresAt"),
}
SMALL = ["--tenants", "60", "--weeks", "6"]


def _command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "commands", "--home", str(home), "demo", *SMALL, *arguments]


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.train
def test_once_starts_afresh_and_prints_a_decision_as_its_last_line(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    home.mkdir()
    (home / "demo.json").write_text("{}")
    (home / "ledger.sqlite").write_text("left over by an earlier demo")
    done = subprocess.run(
        _command(home, "--once", "--port", str(free_port(18_080))),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert set(answer) >= FIELDS
    assert answer["enforceFriction"] == (answer["effectiveLimit"] < answer["baseLimit"])
    assert len(done.stdout.splitlines()) == 1
    assert "1/7 " in done.stderr
    assert "7/7 " in done.stderr
    # The product never sees the truth: it lies beside the import directory, not in it.
    assert not list((home / "simulated").glob("*truth*"))


@pytest.mark.slow
@pytest.mark.train
def test_the_demo_keeps_serving_until_it_is_interrupted(tmp_path: Path) -> None:
    port = free_port(18_180)
    errors = tmp_path / "stderr"
    with errors.open("wb") as log:
        process = subprocess.Popen(
            _command(tmp_path / "demo", "--port", str(port)),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # A shell's background job ignores SIGINT, and so would everything it starts.
            preexec_fn=_heed_interrupts,  # noqa: PLW1509  # nothing but this one call
        )
    try:
        assert process.stdout is not None
        answer = json.loads(process.stdout.readline())
        # Another process may have taken the port meanwhile; then the demo says where it is.
        where = re.search(r"curl http://127\.0\.0\.1:(\d+)/v1/decisions", errors.read_text())
        assert where is not None
        port = int(where[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", f"/v1/decisions/{answer['tenantId']}")
        served = json.loads(connection.getresponse().read())
        connection.close()
        assert served["decisionId"] == answer["decisionId"]
        told = errors.read_text()
        assert f"curl http://127.0.0.1:{port}/v1/decisions/{answer['tenantId']}" in told
        assert f"http://127.0.0.1:{port}/docs" in told
        mlflow = re.search(r"MLflow:\s+http://127\.0\.0\.1:(\d+)", told)
        assert mlflow is not None
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        if process.stdout is not None:
            process.stdout.close()
    assert process.returncode == 0
    # Nobody is left behind on either port.
    assert free_port(port) == port
    deadline = time.monotonic() + 10
    while free_port(int(mlflow[1])) != int(mlflow[1]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert free_port(int(mlflow[1])) == int(mlflow[1])


def test_a_directory_that_is_no_demo_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    assert flyball(["--home", str(tmp_path), "demo", "--once"]) == 3
    assert "not an earlier demo's home" in capsys.readouterr().err
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_a_step_that_fails_says_what_was_run_and_where_its_output_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(StepFailed, match=r"python -c .* ended with 7.*output is in .*log"):
        run([sys.executable, "-c", "raise SystemExit(7)"], log)


def test_a_port_in_use_is_passed_over() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port


def test_the_environment_of_children_is_safe() -> None:
    from commands.child import environment

    assert environment()["PYTHONSAFEPATH"] == "1"
    assert os.environ.get("PATH") == environment().get("PATH")
