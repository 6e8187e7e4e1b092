"""Child processes of a command: run one to its end, or keep one until the command stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flyball.errors import FlyballError
from serving.parent_process import end_with_parent

_STOP_S = 15.0


class StepFailed(FlyballError):
    """A child process ended badly; its own words have gone to stderr."""


def environment() -> dict[str, str]:
    """Ours, without the working directory on the path, and with idle training threads asleep."""
    return {**os.environ, "PYTHONSAFEPATH": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def flyball_command(root: Path, *arguments: str) -> list[str]:
    """The command line that runs ``flyball`` on the home ``root`` with this interpreter."""
    return [sys.executable, "-m", "commands", "--home", str(root), *arguments]


def run(command: Sequence[str], log: Path, *, words: str | None = None) -> None:
    """Run to the end: stderr is ours (progress shows), stdout goes to ``log``.

    Parameters
    ----------
    words:
        What the command reads on its standard input; None: ours.

    Raises
    ------
    StepFailed
        The exit code was not 0; the message shows what was run.
    """
    with log.open("ab") as output:
        done = subprocess.run(
            command, stdout=output, env=environment(), check=False,
            input=None if words is None else words.encode(),
        )  # fmt: skip
    if done.returncode != 0:
        shown = " ".join(_short(command))
        raise StepFailed(f"`{shown}` ended with {done.returncode}.", f"Its output is in {log}.")


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Keep a process for the length of the block; it is asked to stop, then made to."""
    with log.open("ab") as output:
        # Its own session: Ctrl-C reaches us alone, and we stop it in order.
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment(), start_new_session=True
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to stop, wait, and end its whole session if it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def ended_in_order() -> Iterator[None]:
    """For the length of the block `kill` and a closed terminal end us as Ctrl-C does.

    Children in sessions of their own are told by nobody but us.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        # `nohup` ignores SIGHUP on purpose.
        if handler is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with(parent: int) -> None:
    """Called by a child: end when ``parent``, the process that started us, ends, even by SIGKILL.

    Linux only; elsewhere a child of a killed parent ends with its own work.
    """
    end_with_parent()
    if os.getppid() != parent:
        # It ended before we asked to be told.
        sys.exit(1)


def free_port(preferred: int, host: str = "127.0.0.1") -> int:
    """``preferred`` if nobody listens there, else the next free port above it.

    Raises
    ------
    StepFailed
        None of the next 50 ports is free.
    """
    for port in range(preferred, min(preferred + 50, 65_536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise StepFailed(f"No port from {preferred} on is free.", "Choose another with --port.")


def _short(command: Sequence[str]) -> list[str]:
    """The command as a person would type it."""
    words = list(command)
    if words[1:3] == ["-m", "commands"]:
        return ["flyball", *words[3:]]
    return ["python", *words[1:]]
