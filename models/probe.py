"""Try a bundle in a child process, so that a crash in native code is an error, not an outage.

The parent sends the verified bytes through a pipe; the child loads the graphs, scores the golden
rows and answers with one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from flyball.errors import BundleCorrupt, BundleError

TIMEOUT_SECONDS = 60


def try_in_child(
    contents: Mapping[str, bytes],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    command: Sequence[str] = (),
) -> None:
    """Load and score ``contents`` (verified files by name) in a fresh interpreter.

    ``command`` replaces the child, for tests of what becomes of crashes.

    Raises
    ------
    BundleCorrupt
        If the child finds a fault, crashes or takes too long.
    """
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    # Safe path: a folder called `models` where the server was started must not be imported.
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": path}
    try:
        # Our own interpreter and module; nothing of the bundle is on the command line.
        child = subprocess.run(
            list(command) or [sys.executable, "-m", "models.probe"],
            input=msgspec.msgpack.encode(dict(contents)),
            capture_output=True,
            env=environment,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BundleCorrupt(f"Loading the bundle took more than {timeout_seconds} s.") from error
    if child.returncode != 0:
        raise BundleCorrupt(_reason(child.stdout, child.returncode))


def _reason(answer: bytes, code: int) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"Loading the bundle ended the trial process ({how})."


def main() -> int:
    """The child: read the files from standard input, load, score, report."""
    from models.bundle import parsed
    from models.golden import check_golden
    from models.scorer import Scorer

    _limit_resources()
    contents = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=dict[str, bytes])
    try:
        check_golden(Scorer(parsed(contents)))
    except BundleError as error:
        print(json.dumps({"error": error.message}))
        return 5
    return 0


def _limit_resources() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT_SECONDS, TIMEOUT_SECONDS))


if __name__ == "__main__":
    raise SystemExit(main())
