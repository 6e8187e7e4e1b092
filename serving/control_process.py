"""The control loop as a process: ``python -m serving.control_process``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

import structlog

from flyball.errors import FlyballError
from flyball.home import Home
from serving.clock import clock_for
from serving.control_loop import ControlLoop
from serving.logs import configure_logs
from serving.sealing import keep_sealed
from serving.settings import ClockKind, load_settings
from serving.webhooks.sender import keep_sending


def main() -> None:
    """Decide until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", required=True)
    parser.add_argument("--clock", choices=[kind.value for kind in ClockKind], default="wall")
    arguments = parser.parse_args()
    configure_logs()
    home = Home(Path(arguments.home))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        _decide(home, ClockKind(arguments.clock), stopping)
    except FlyballError as error:
        # The supervisor tries again; workers serve the snapshot meanwhile.
        structlog.get_logger("serving.control_loop").error("cannot_decide", error=str(error))
        sys.exit(error.exit_code)


def _decide(home: Home, clock: ClockKind, stopping: threading.Event) -> None:
    settings = load_settings(home.settings)
    sealer = threading.Thread(target=keep_sealed, args=(home, stopping), name="sealer", daemon=True)
    sealer.start()
    # Without an address nothing is told to anybody but `flyball status` and /v1/health.
    sender = threading.Thread(
        target=keep_sending, args=(home, settings.webhooks, stopping), name="webhooks", daemon=True
    )
    if settings.webhooks.url:
        sender.start()
    with ControlLoop(home, settings, clock_for(clock, home)) as loop:
        loop.run(stopping)
    sealer.join(timeout=10)
    if sender.is_alive():
        sender.join(timeout=2)


if __name__ == "__main__":
    main()
