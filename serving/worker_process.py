"""One serving worker as a process: ``python -m serving.worker_process``."""

from __future__ import annotations

import argparse
import gc
import socket
from pathlib import Path

import uvicorn

from flyball.home import Home
from models.signature import load_public_key
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
        http=protocol_for(worker, worker.count_lookup),
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
    return uvicorn.Server(config)


def main() -> None:
    """Serve on inherited sockets until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", required=True)
    parser.add_argument("--fd", type=int, action="append", default=[])
    arguments = parser.parse_args()
    configure_logs()
    home = Home(Path(arguments.home))
    worker = Worker(home, load_public_key(home.verify_key), shared_metrics=True)
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
