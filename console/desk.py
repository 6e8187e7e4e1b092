"""What every page has at hand: the ledger, the standings, the settings and the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request

from console.settings import ConsoleSettings
from console.standings.file import Standings
from console.standings.lately import Lately
from console.team.outcomes import Comparison
from console.team.portfolio import SetAside
from flyball.arm import ArmGrid
from flyball.home import Home
from ledger.sqlite_ledger import SqliteLedger
from telemetry.account_usage import AccountUsage


def wall_clock_us() -> int:
    """Microseconds since 1970 by the machine's clock."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Shared by all requests; everything in it may be used from any thread.

    ``now_us`` is the time that decisions and accounts are told against: the machine's, or the last
    event's where the home lives by the time of its events. ``wall_us`` is the machine's:
    sessions count by it, and so does what concerns no account. ``grid`` holds the multipliers that
    the deployment is set up with.
    """

    home: Home
    ledger: SqliteLedger
    standings: Standings
    usage: AccountUsage
    grid: ArmGrid = field(default_factory=ArmGrid)
    settings: ConsoleSettings = field(default_factory=ConsoleSettings)
    now_us: Callable[[], int] = wall_clock_us
    wall_us: Callable[[], int] = wall_clock_us
    compared: Lately[Comparison] = field(default_factory=Lately)
    aside: Lately[SetAside] = field(default_factory=Lately)


def desk_of(request: Request) -> Desk:
    """The desk of the application that serves this request."""
    desk: Desk = request.app.state.desk
    return desk
