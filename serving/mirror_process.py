"""Keeping a home's snapshot like another service's: ``python -m serving.mirror_process``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

import structlog

from flyball.errors import FlyballError, InvalidInput
from flyball.home import Home
from models.signature import load_public_key
from serving.logs import configure_logs
from serving.node.mirroring import mirroring_from


def main() -> None:
    """Mirror until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", required=True)
    parser.add_argument("--follow", required=True)
    parser.add_argument("--token-file", type=Path)
    arguments = parser.parse_args()
    configure_logs()
    home = Home(Path(arguments.home))
    stopping = threading.Event()
    try:
        mirroring = mirroring_from(
            arguments.follow,
            token=_token(arguments.token_file),
            directory=home.snapshot,
            key=load_public_key(home.verify_key),
        )
    except FlyballError as error:
        # The supervisor tries again; workers serve what is there meanwhile.
        structlog.get_logger("serving.mirror").error("cannot_follow", error=str(error))
        sys.exit(error.exit_code)

    def leave(*_: object) -> None:
        stopping.set()
        mirroring.close()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    mirroring.run(stopping)


def _token(path: Path | None) -> str | None:
    if path is None:
        return os.environ.get("FLYBALL_TOKEN")
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}.", field="token_file"
        ) from error


if __name__ == "__main__":
    main()
