"""The closed loop over HTTP: a real ``flyball serve``, and a simulated gateway before it.

History, training, publishing and the experiment go through the command line; then every week's
decisions are asked over HTTP and its usage is posted as CloudEvents. The service's clock is that of
the events, so weeks pass as fast as they are posted.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from commands.child import StepFailed, flyball_command, free_port, run, running
from flyball.home import Home
from simulation.calendar_week import instant
from simulation.cell import HISTORY_END, WorldSpec
from simulation.gateway import Gateway, Receipts
from simulation.history import History, write_history
from simulation.service_life import ServedWeek, ServiceLife

_READY_S = 90.0
_FIRST_PORT = 18_080
_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRun:
    """What a run over HTTP showed; ``lookup_s`` are single lookups as the gateway saw them."""

    weeks: tuple[ServedWeek, ...]
    receipts: Receipts
    posted: int
    lookup_s: tuple[float, ...]


def serve_world(
    home: Home,
    *,
    family: str,
    tenants: int,
    seed: int,
    policy: str,
    weeks: int,
    series: str,
    say: Callable[[str], None],
) -> ServiceRun:
    """Live ``weeks`` weeks of one world with ``flyball serve`` on ``home``, which is emptied first.

    Raises
    ------
    StepFailed
        A command or the service ended badly.
    ProductFailed
        The service answered with anything but success.
    """
    shutil.rmtree(home.root, ignore_errors=True)
    home.root.mkdir(parents=True)
    folder, log = home.root / "simulated", home.root / "service.log"
    home.settings.write_text(f'[policy]\nname = "{policy}"\n', "utf-8")

    def flyball(*arguments: str) -> None:
        run(flyball_command(home.root, *arguments), log)

    say("history")
    spec = WorldSpec(family=family, tenants=tenants, seed=seed, weeks=weeks)
    history = write_history(folder / "history", spec.setup(series), HISTORY_END)
    say("import, train, publish")
    flyball("import", str(history.folder))
    flyball("train", "--as-of", instant(HISTORY_END))
    flyball("publish", "--once")
    why = ("--reason", "the simulated service explores", "--author", "simulation")
    flyball("experiment", "start", "simulated", "--at", instant(HISTORY_END), *why)
    with ExitStack() as stack:
        port = free_port(_FIRST_PORT)
        where = ("--host", _HOST, "--port", str(port), "--clock", "events")
        server = stack.enter_context(running(flyball_command(home.root, "serve", *where), log))
        _until_alive(server, port, log)
        gateway = Gateway(f"http://{_HOST}:{port}")
        stack.callback(gateway.close)
        life = _life(history, gateway, flyball, folder)
        found = []
        for number in range(weeks):
            say(f"week {number + 1} of {weeks} over HTTP")
            found.append(life.week())
        return ServiceRun(
            weeks=tuple(found),
            receipts=gateway.receipts,
            posted=gateway.posted,
            lookup_s=tuple(gateway.lookup_s),
        )


def _life(
    history: History, gateway: Gateway, flyball: Callable[..., None], folder: Path
) -> ServiceLife:
    def take_in(told: Path) -> None:
        flyball("import", str(told))
        shutil.rmtree(told)

    return ServiceLife(history.world, history.exporter, gateway, take_in, folder / "weeks")


def _until_alive(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait for the socket to answer; there are no decisions before the first week's event."""
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and server.poll() is None:
        connection = http.client.HTTPConnection(_HOST, port, timeout=5.0)
        try:
            connection.request("GET", "/livez")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise StepFailed("The service did not start.", f"Its output is in {log}.")
