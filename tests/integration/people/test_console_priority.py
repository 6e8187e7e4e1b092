"""Decisions come first: under ``flyball serve`` the console is nicer than the workers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flyball.home import Home
from ledger.sqlite_ledger import SqliteLedger
from ledger.users import UserRole, sees_from
from tests.integration.people.conftest import NOW_US

#: What the children are known by, among what they were started with.
PROGRAMS = ("serving.worker_process", "serving.control_process", "console")


def _niceness(process: int) -> dict[str, int]:
    """That of each of a process's children that has begun to run its program."""
    found = {}
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        started_with = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        for program in PROGRAMS:
            if program in started_with:
                found[program] = os.getpriority(os.PRIO_PROCESS, int(child))
    return found


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.skipif(os.getpriority(os.PRIO_PROCESS, 0) > 14, reason="nobody can be nicer than 19")
def test_the_console_yields_to_workers_and_the_control_loop_does_not(home: Home) -> None:
    with SqliteLedger(home.ledger) as ledger:
        ledger.add_user(
            "ann", role=UserRole.ADMIN, sees=[sees_from("all")], author="tests", now_us=NOW_US,
            password="never used to sign in here",
        )  # fmt: skip
    command = [sys.executable, "-m", "commands", "--home", str(home.root), "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--console-port", "0", "--workers", "1"], stdout=subprocess.PIPE, text=True
    ) as serving:
        try:
            assert serving.stdout is not None
            assert any("console is on" in line for line in serving.stdout)
            # That was said before the children start, one after another.
            deadline = time.monotonic() + 30
            while len(found := _niceness(serving.pid)) < len(PROGRAMS):
                assert time.monotonic() < deadline, found
                time.sleep(0.02)
            ours = os.getpriority(os.PRIO_PROCESS, serving.pid)
            assert found == dict(zip(PROGRAMS, (ours, ours, ours + 5), strict=True))
        finally:
            serving.terminate()
