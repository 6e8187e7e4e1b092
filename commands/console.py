"""``flyball console``: the pages for customer success, in a process of their own."""

from __future__ import annotations

import gc
import signal
import socket
from collections.abc import Callable
from types import FrameType

import click

from flyball.errors import InvalidInput
from flyball.home import Home


@click.command("console")
@click.option("--host", help="Address to listen on [settings, else 127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65_535), help="TCP port [settings, else 8090].")
@click.option("--clock", type=click.Choice(["wall", "events"]), help="What `now` is.")
@click.option("--fd", type=int, hidden=True, help="A listening socket of the supervisor's.")
@click.pass_obj
def command(
    home: Home, *, host: str | None, port: int | None, clock: str | None, fd: int | None
) -> None:
    """Serve the console until stopped. `flyball serve` starts it by itself."""
    from console.process import open_desk, serve_console
    from console.settings import console_settings_from
    from serving.listening import listen_tcp
    from serving.logs import configure_logs
    from serving.settings import load_settings

    configure_logs()
    signal.signal(signal.SIGTERM, _leave)
    settings = load_settings(home.settings)
    ours = console_settings_from(settings.console)
    host = host or ours.host
    check_reach(host, secure=ours.secure)
    if fd is not None:
        sock = socket.socket(fileno=fd)
    else:
        sock = listen_tcp(host, ours.port if port is None else port)
    now_us = _clock(home, clock or settings.decisions.clock.value)
    with open_desk(home, ours, now_us, grid=settings.decisions.grid) as desk:
        if fd is None:
            click.echo(f"The console is on {console_address(sock)}")
        gc.collect()
        gc.freeze()
        serve_console(desk, sock)


def console_address(sock: socket.socket) -> str:
    """Where the console is found on this machine."""
    host, port = sock.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/console/"


def check_reach(host: str, *, secure: bool) -> None:
    """Refuse to take passwords over an open network in the clear."""
    from serving.listening import is_loopback

    if not is_loopback(host) and not secure:
        raise InvalidInput(
            f"On {host} passwords would cross the network in the clear.",
            "Put a TLS proxy before the console and name its address: "
            'console.public_url = "https://...".',
            field="console.host",
        )


def _clock(home: Home, kind: str) -> Callable[[], int]:
    from serving.clock import EventClock, wall_us

    return EventClock(home).now_us if kind == "events" else wall_us


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
