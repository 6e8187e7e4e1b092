"""``flyball demo``: the whole chain on a simulated population, from telemetry to a decision."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from commands.child import StepFailed, flyball_command, free_port, run, running
from commands.narrator import Narrator
from flyball.errors import HomeInUse, Refused
from flyball.home import Home
from flyball.instant import format_instant, period_start
from models.current import read_current

_MARK = "demo.json"
_HOST = "127.0.0.1"
_READY_S = 60.0
_LOGIN = "demo"
_CONSOLE_PORT = 8090
_HOUR_S = 3600


@click.command("demo")
@click.option("--once", is_flag=True, help="Print one decision as the last line, and stop.")
@click.option("--tenants", type=click.IntRange(50, 100_000), default=2_000, show_default=True)
@click.option("--weeks", type=click.IntRange(6, 260), default=26, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=8080, show_default=True,
    help="Where to serve; the next free port if it is taken.",
)  # fmt: skip
@click.pass_context
def command(
    context: click.Context, *, once: bool, tenants: int, weeks: int, seed: int, port: int
) -> None:
    """Simulate tenants, import, train, gate, promote, decide and serve."""
    home = _home(context)
    _clear(home)
    # `kill` stops the children as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    narrator = Narrator(steps=7 if once else 8)
    demo = Demo(home, narrator)
    end_hour = int(time.time()) // _HOUR_S
    demo.simulate(tenants, weeks, seed, end_hour)
    demo.learn(end_hour)
    with ExitStack() as stack:
        if not once:
            demo.invite()
        port = demo.serve(stack, port)
        tenant = demo.example()
        answer = _get(port, f"/v1/decisions/{tenant}")
        if not once:
            ui = demo.tracking_ui(stack)
            _explain(narrator, home, f"http://{_HOST}:{port}", tenant, ui, demo.sign_in())
        if once:
            click.echo(json.dumps(answer))
            return
        try:
            # Whoever reads this line may stop us at once: from here on Ctrl-C is the way to end.
            click.echo(json.dumps(answer))
            demo.wait()
        except KeyboardInterrupt:
            narrator.say("\nStopping.")


class Demo:
    """The steps, each a child process, as a person would type them."""

    def __init__(self, home: Home, narrator: Narrator) -> None:
        self._home = home
        self._narrator = narrator
        self._log = home.root / "demo.log"
        self._history = home.root / "simulated"
        self._decisions = home.root / "decisions.ndjson"
        self._server: subprocess.Popen[bytes] | None = None
        self._password, self._console_port = "", 0

    def simulate(self, tenants: int, weeks: int, seed: int, end_hour: int) -> None:
        """Write the import directory; the product never sees the world beside it."""
        with self._narrator.step(f"Simulate {tenants:,} tenants over {weeks} weeks"):
            run(
                [
                    *(sys.executable, "-m", "simulation", "--out", str(self._history)),
                    *("--tenants", str(tenants), "--weeks", str(weeks), "--seed", str(seed)),
                    *("--end", format_instant(end_hour * _HOUR_S * 1_000_000)),
                ],
                self._log,
            )

    def learn(self, end_hour: int) -> None:
        """Import, train behind gates, promote, publish, and decide the current period."""
        monday = format_instant(period_start(end_hour * _HOUR_S * 1_000_000, 7))
        with self._narrator.step("Import usage, accounts and past decisions"):
            self._flyball("import", str(self._history))
        with self._narrator.step("Build features, train, evaluate, gate, promote"):
            self._flyball("train")
        with self._narrator.step("Publish the champion's bundle"):
            self._flyball("publish", "--once")
        if read_current(self._home.bundles) is None:
            self._narrator.say("    No champion yet (see above): every decision stays at 1.")
        with self._narrator.step("Start an experiment, so that effects stay measurable"):
            why = ("--reason", "the demo explores from the start", "--author", "demo")
            self._flyball("experiment", "start", "demo", "--at", monday, *why)
        with self._narrator.step("Decide this week for every tenant"):
            where = ("--out", str(self._decisions))
            self._flyball("decide", "--mode", "live", "--as-of", monday, *where)

    def invite(self) -> None:
        """Let the newcomer in to the console, with a password of this demo's own."""
        self._password = secrets.token_urlsafe(9)
        command = flyball_command(
            self._home.root, "user", "add", _LOGIN, "--role", "admin", "--password-stdin",
            "--author", "demo", "--name", "Demo",
        )  # fmt: skip
        run(command, self._log, words=self._password + "\n")
        self._console_port = free_port(_CONSOLE_PORT)

    def sign_in(self) -> str:
        """Where the console is, and how to get in."""
        address = f"http://{_HOST}:{self._console_port}/console/"
        return f"{address}  (sign in as {_LOGIN}, password {self._password})"

    def serve(self, stack: ExitStack, port: int) -> int:
        """Start the service and wait until it is ready; returns its port."""
        port = free_port(port)
        with self._narrator.step(f"Serve decisions on http://{_HOST}:{port}"):
            where = ("--host", _HOST, "--port", str(port))
            pages = ("--console-port", str(self._console_port)) if self._console_port else ()
            command = flyball_command(self._home.root, "serve", *where, *pages)
            self._server = stack.enter_context(running(command, self._log))
            self._until_ready(port)
        return port

    def example(self) -> str:
        """A tenant worth looking at: under friction if there is one, else any that moved."""
        rows = [json.loads(line) for line in self._decisions.read_text().splitlines()]
        if not rows:
            raise StepFailed("No tenant was decided.", f"See {self._log}.")
        return str(min(rows, key=_interest)["tenant_id"])

    def tracking_ui(self, stack: ExitStack) -> str:
        """Start MLflow's pages beside the service; returns their address."""
        port = free_port(5000)
        with self._narrator.step("Open the experiment tracker"):
            store = f"sqlite:///{self._home.mlflow / 'mlflow.db'}"
            command = [
                *(sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store),
                *("--host", _HOST, "--port", str(port), "--workers", "1"),
            ]
            stack.enter_context(running(command, self._home.root / "mlflow.log"))
        return f"http://{_HOST}:{port}"

    def wait(self) -> None:
        """Keep serving until Ctrl-C (KeyboardInterrupt); StepFailed if the service ends first."""
        if self._server is None:
            return
        code = self._server.wait()
        raise StepFailed(f"The service ended with {code}.", f"Its output is in {self._log}.")

    def _flyball(self, *arguments: str) -> None:
        run(flyball_command(self._home.root, *arguments), self._log)

    def _until_ready(self, port: int) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            if self._server is not None and self._server.poll() is not None:
                break
            try:
                _get(port, "/readyz")
            except (OSError, StepFailed):
                time.sleep(0.1)
            else:
                return
        for line in self._log.read_text(errors="replace").splitlines()[-8:]:
            self._narrator.say(f"    {line}")
        raise StepFailed("The service did not become ready.", f"Its output is in {self._log}.")


def _get(port: int, path: str) -> dict[str, object]:
    """GET a JSON object from our own service; StepFailed unless it answers 200."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=10.0)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise StepFailed(f"{path} answered {answer.status}: {body[:200].decode(errors='replace')}")
    found: dict[str, object] = json.loads(body)
    return found


def _interest(row: dict[str, Any]) -> tuple[int, bool, int, str]:
    """Friction first, then overdraft; the policy's own choice before a draw; few reasons."""
    multiplier, reasons = row["served_multiplier"], json.loads(row["reasons"])
    moved = 0 if multiplier < 1 else (1 if multiplier > 1 else 2)
    return moved, "explored" in reasons, len(reasons), str(row["tenant_id"])


def _home(context: click.Context) -> Home:
    """The home asked for, or one below the default home that nothing else uses."""
    home: Home = context.obj
    given = context.find_root().get_parameter_source("home")
    return home if given is not ParameterSource.DEFAULT else Home(home.root / "demo")


def _clear(home: Home) -> None:
    """Start afresh, but only where an earlier demo or nothing is."""
    root = home.root
    if root.exists() and any(root.iterdir()) and not (root / _MARK).exists():
        raise Refused(f"{root} is not an earlier demo's home.", "Give an empty one with --home.")
    if home.lock.exists():
        _check_not_served(home)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    (root / _MARK).write_text('{"made_by": "flyball demo"}\n')


def _check_not_served(home: Home) -> None:
    from serving.supervisor import take_lock

    try:
        os.close(take_lock(home.lock))
    except HomeInUse as error:
        raise HomeInUse(f"A demo is running on {home.root}.", "Stop it first.") from error


def _explain(narrator: Narrator, home: Home, base: str, tenant: str, ui: str, console: str) -> None:
    narrator.say(
        f"\nThe console, where people see and correct it all:\n"
        f"  {console}\n"
        f"A decision, as a gateway gets it (the JSON below):\n"
        f"  curl {base}/v1/decisions/{tenant}\n"
        f"Why:       curl {base}/v1/decisions/{tenant}/explanation\n"
        f"API docs:  {base}/docs\n"
        f"MLflow:    {ui}\n"
        f"Home:      flyball --home {_relative(home.root)} status\n"
        f"It took {narrator.elapsed_s:.0f} s. Ctrl-C stops."
    )


def _relative(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
