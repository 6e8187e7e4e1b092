"""The console as a child of ``flyball serve``: its socket, and what is said about it."""

from __future__ import annotations

import socket

import click

from commands.console import check_reach, console_address
from flyball.errors import StorageError
from flyball.home import Home
from serving.settings import Settings
from serving.supervisor import ChildSpec

#: Ports tried from the configured one on: the console must not keep the gateways waiting.
_TRIES = 20
#: A page may wait a little, a decision must not: where both want a core, a worker gets about three
#: times as much of it. Not more, because an export of minutes should not take an hour.
_NICENESS = 5


def open_console(home: Home, settings: Settings, port: int | None) -> socket.socket | None:
    """A listening socket for the console; None where it is switched off or nobody may sign in.

    Raises
    ------
    InvalidInput
        ``[console]`` is wrong.
    """
    from console.settings import console_settings_from
    from serving.listening import listen_tcp

    ours = console_settings_from(settings.console)
    if not ours.enabled:
        return None
    check_reach(ours.host, secure=ours.secure)
    if not _somebody(home):
        click.echo("No console yet: flyball user add LOGIN --role admin, then serve again.")
        return None
    wanted = ours.port if port is None else port
    if wanted == 0:
        return listen_tcp(ours.host, 0)
    for number in range(wanted, min(wanted + _TRIES, 65_536)):
        if _free(ours.host, number):
            return listen_tcp(ours.host, number)
    raise StorageError(
        f"No port from {wanted} on is free for the console.", "Give another with --console-port."
    )


def console_child(home: Home, sock: socket.socket, clock: str) -> ChildSpec:
    """The process to keep alive."""
    fd = sock.fileno()
    return ChildSpec(
        name="console",
        argv=(
            *("-m", "commands", "--home", str(home.root), "console"),
            *("--clock", clock, "--fd", str(fd)),
        ),
        fds=(fd,),
        niceness=_NICENESS,
    )


def announce_console(sock: socket.socket) -> None:
    """Say where it is."""
    click.echo(f"The console is on {console_address(sock)}")


def _somebody(home: Home) -> bool:
    from ledger.sqlite_ledger import SqliteLedger

    if not home.ledger.exists():
        return False
    try:
        with SqliteLedger(home.ledger, read_only=True) as ledger:
            return any(user.enabled for user in ledger.users())
    except StorageError:
        # Older than users, or not readable just now: serving decisions comes first.
        return False


def _free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError:
            return False
        return True
