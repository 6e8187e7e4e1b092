"""Envoy's protocols as a process: ``python -m serving.grpc_process``.

The only process that loads gRPC: lookups and the API neither pay for it nor fall with it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
from pathlib import Path

import structlog

from flyball.errors import FlyballError, InvalidInput
from flyball.home import Home
from models.signature import load_public_key
from serving.logs import configure_logs
from serving.settings import load_settings
from serving.worker import Worker


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", required=True)
    arguments = parser.parse_args()
    configure_logs()
    try:
        asyncio.run(_serve(Home(Path(arguments.home))))
    except FlyballError as error:
        structlog.get_logger("serving.envoy").error("cannot_serve_grpc", error=str(error))
        sys.exit(error.exit_code)


async def _serve(home: Home) -> None:
    try:
        from serving.envoy.desk import Desk
        from serving.envoy.server import EnvoyServer
    except ImportError as error:
        raise InvalidInput(
            f"grpc.listen is set, but {error.name} is not installed.",
            "Install the extra: pip install 'flyball[grpc]'.",
            field="grpc.listen",
        ) from error
    settings = load_settings(home.settings)
    worker = Worker(home, load_public_key(home.verify_key), shared_metrics=True)
    worker.refresh()
    worker.keep_fresh()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    desk = Desk(worker, settings.grpc, settings.authorize)
    try:
        async with EnvoyServer(desk) as server:
            structlog.get_logger("serving.envoy").info(
                "grpc_serves", listen=settings.grpc.listen, port=server.port
            )
            # What exists now lives as long as the process: never walk it again.
            gc.collect()
            gc.freeze()
            await stopping.wait()
    finally:
        desk.close()
        worker.close()


if __name__ == "__main__":
    main()
