"""One serving worker as a process: ``python -m serving.worker_process``."""

from __future__ import annotations

import argparse
import gc
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from flyball.home import Home
from models.signature import load_public_key
from serving.evaluating.protocol import with_evaluation
from serving.logs import configure_logs
from serving.rest.application import create_application
from serving.rest.lookup import protocol_for
from serving.worker import Worker

#: How long a stopping worker waits for requests under way.
GRACE_SECONDS = 5


def server_of(worker: Worker) -> uvicorn.Server:
    """A server for ``worker`` with the lookup in front; it listens on sockets passed to run."""
    config = uvicorn.Config(
        create_application(worker),
        http=with_evaluation(protocol_for(worker), worker),
        loop="uvloop",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=2048,
    )
    server = uvicorn.Server(config)
    # Streams end by themselves, so that stopping need not wait for them.
    worker.is_leaving = lambda: server.should_exit
    return server


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _event_clock(home: Home) -> Callable[[], int]:
    # Needs DuckDB, which an ordinary worker never loads.
    from serving.clock import EventClock

    return EventClock(home).now_us


def main() -> None:
    """Serve on inherited sockets until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", required=True)
    parser.add_argument("--fd", type=int, action="append", default=[])
    parser.add_argument("--clock", choices=["wall", "events"], default="wall")
    parser.add_argument("--mirrors")
    arguments = parser.parse_args()
    # The server takes signals over while it runs and raises them again once it has stopped.
    signal.signal(signal.SIGTERM, _leave)
    configure_logs()
    home = Home(Path(arguments.home))
    worker = Worker(
        home,
        load_public_key(home.verify_key),
        event_clock=_event_clock(home) if arguments.clock == "events" else None,
        shared_metrics=True,
        mirrors=arguments.mirrors,
    )
    worker.refresh()
    worker.keep_fresh()
    # What exists now lives as long as the process: never walk it again.
    gc.collect()
    gc.freeze()
    sockets = [socket.socket(fileno=fd) for fd in arguments.fd]
    try:
        server_of(worker).run(sockets=sockets)
    finally:
        worker.close()


if __name__ == "__main__":
    main()
