"""Running the console: a desk over one home, and a server on one socket."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from console.account.usage import BLOCKED, DAYS
from console.application import create_console
from console.desk import Desk, wall_clock_us
from console.settings import ConsoleSettings
from console.standings.file import Standings
from console.standings.follower import Follower
from flyball.arm import ArmGrid
from flyball.home import Home
from ledger.sqlite_ledger import SqliteLedger
from telemetry.account_usage import AccountUsage

_GRACE_SECONDS = 5


@contextmanager
def open_desk(
    home: Home,
    settings: ConsoleSettings,
    now_us: Callable[[], int] = wall_clock_us,
    *,
    grid: ArmGrid | None = None,
) -> Iterator[Desk]:
    """A desk whose standings have been brought up to date and go on following."""
    ledger = SqliteLedger(home.ledger)
    standings = Standings(home, ledger, now_us)
    standings.follow()
    usage = AccountUsage(home)

    def gather() -> bool:
        return usage.gather({*standings.meters(), BLOCKED}, end_us=now_us(), days=DAYS)

    follower = Follower(standings, gather)
    follower.start()
    try:
        yield Desk(
            home=home, ledger=ledger, standings=standings, usage=usage,
            settings=settings, now_us=now_us, grid=grid or ArmGrid(),
        )  # fmt: skip
    finally:
        follower.stop()
        usage.close()
        follower.close()
        standings.close()
        ledger.close()


def serve_console(desk: Desk, sock: socket.socket) -> None:
    """Serve until SIGTERM."""
    server_of(desk).run(sockets=[sock])


def server_of(desk: Desk) -> uvicorn.Server:
    """A server for the console; it listens on sockets passed to run."""
    config = uvicorn.Config(
        create_console(desk),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # A proxy tells the caller's address; only one on this machine is believed.
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return uvicorn.Server(config)
