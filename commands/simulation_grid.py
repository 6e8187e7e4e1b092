"""Worlds of a grid, a few processes at a time; each one's results are kept as they come."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from commands.child import StepFailed, environment, stop
from commands.simulated_world import Task
from flyball.errors import HomeInUse
from telemetry.file_lock import directory_lock

_LOOK_S = 0.5
#: So many of the last lines of a failed world are told.
_LOG_LINES = 6


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keep other grids away from ``root``: worlds of one name share a folder of work.

    Raises
    ------
    HomeInUse
        Another process plays worlds there; the message names it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(directory_lock(root, wait=False))
        except HomeInUse as error:
            raise HomeInUse(
                f"A `flyball simulate` of this home is running. {error.message}",
                "Let it finish or stop it, or give this one another --home.",
            ) from error
        yield


def unfinished(tasks: list[Task]) -> list[Task]:
    """Those that miss results."""
    return [task for task in tasks if task.missing() or task.searching()]


def run_grid(tasks: list[Task], jobs: int | None) -> None:
    """Do every task that misses results, ``jobs`` at a time (None: one a core).

    Raises
    ------
    StepFailed
        A world's process ended badly. Results of others are kept: run it again.
    """
    waiting = unfinished(tasks)
    total = sum(len(task.policies) + bool(task.gamed) for task in tasks)
    console = Console(stderr=True, highlight=False)
    if not waiting:
        console.print(f"all {total} results are there already")
        return
    jobs = jobs or os.cpu_count() or 1
    began = time.monotonic()
    running: dict[Task, subprocess.Popen[bytes]] = {}
    with ExitStack() as stack, console.status("starting") as status:
        while waiting or running:
            while waiting and len(running) < jobs:
                task = waiting.pop(0)
                running[task] = _start(stack, task, jobs)
            time.sleep(_LOOK_S)
            left = sum(len(task.missing()) + task.searching() for task in (*running, *waiting))
            at = "; ".join(f"{task.spec.name}: {_last_line(task)}" for task in running)
            status.update(f"{total - left} of {total} results; {at}")
            for task, process in list(running.items()):
                if process.poll() is None:
                    continue
                del running[task]
                _check(task, process)
                left_words = f"{total - left} of {total} results"
                console.print(f"  {task.spec.name} done; {left_words} {_since(began)}")


def _start(stack: ExitStack, task: Task, jobs: int) -> subprocess.Popen[bytes]:
    folder = task.cells.parent / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    spec = folder / f"{task.spec.name}.json"
    spec.write_text(json.dumps(task.document()) + "\n")
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    with _log(task).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "commands.simulated_world", str(spec), str(os.getpid())],
            stdout=log,
            stderr=log,
            env={**environment(), "OMP_NUM_THREADS": threads},
            start_new_session=True,
        )
    # Last first: the process has stopped when what it worked on is removed.
    stack.callback(shutil.rmtree, task.work, ignore_errors=True)
    stack.callback(stop, process)
    return process


def _check(task: Task, process: subprocess.Popen[bytes]) -> None:
    if process.returncode == 0 and not task.missing() and not task.searching():
        return
    lines = _log(task).read_text(errors="replace").splitlines()[-_LOG_LINES:]
    raise StepFailed(
        f"The world {task.spec.name} ended with {process.returncode}: " + " | ".join(lines),
        f"All it said is in {_log(task)}. The same command takes up what is missing.",
    )


def _log(task: Task) -> Path:
    return task.cells.parent / "logs" / f"{task.spec.name}.log"


def _last_line(task: Task) -> str:
    lines = _log(task).read_text(errors="replace").splitlines()
    return lines[-1][:60] if lines else "starting"


def _since(began: float) -> str:
    return f"after {time.monotonic() - began:.0f} s"
