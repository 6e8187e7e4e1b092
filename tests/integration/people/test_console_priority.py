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


def _children(process: int) -> dict[int, list[str]]:
    """The children's ids, and what each was started with."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return {
        int(child): Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        for child in listed
    }


def _started(children: dict[int, list[str]], command: list[str]) -> bool:
    """Whether control loop, worker and console are there, and no longer copies of their parent."""
    return len(children) == 3 and all(argv[:6] != command[:6] for argv in children.values())


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
            # Said before the children start, so the first look may come too early.
            assert any("console is on" in line for line in serving.stdout)
            found = _children(serving.pid)
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not _started(found, command):
                time.sleep(0.02)
                found = _children(serving.pid)
            niceness = {
                "console" in argv: os.getpriority(os.PRIO_PROCESS, child)
                for child, argv in found.items()
            }
            ours = os.getpriority(os.PRIO_PROCESS, serving.pid)
            assert niceness == {True: ours + 5, False: ours}
        finally:
            serving.terminate()
