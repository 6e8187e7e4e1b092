"""``flyball sidecar``: decisions as plain files beside a gateway that cannot check signatures."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Event

import click

from commands.moment import wall_clock_us
from flyball.errors import FlyballError, InvalidInput, StorageError

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("sidecar")
@click.option("--from", "url", required=True, help="The service, such as http://flyball:8080.")
@click.option("--key", required=True, type=FILE, help="Its public key (keys/signing.pub).")
@click.option(
    "--into",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the files.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["lua", "haproxy"]),
    default="lua",
    show_default=True,
    help="haproxy: map files besides.",
)
@click.option("--socket", help="HAProxy's admin socket: a path, or host:port.")
@click.option("--names", type=FILE, help="File with one further name (alias, API key) a line.")
@click.option("--kill-file", type=FILE, help="While it exists the gateway is open [INTO/kill].")
@click.option("--token-file", type=FILE, help="File with a bearer token [FLYBALL_TOKEN].")
@click.option("--once", is_flag=True, help="Write what there is, and stop.")
def command(
    url: str,
    key: Path,
    into: Path,
    kind: str,
    socket: str | None,
    names: Path | None,
    kill_file: Path | None,
    token_file: Path | None,
    once: bool,
) -> int:
    """Follow a service, and keep its decisions in files that nginx's Lua or HAProxy reads."""
    from models.signature import load_public_key
    from serving.logs import configure_logs
    from serving.node.follower import Follower
    from serving.node.haproxy_maps import HaproxyMaps
    from serving.node.haproxy_socket import HaproxySocket
    from serving.node.mirroring import mirroring_from
    from serving.node.node import Node
    from serving.node.sidecar import LOOK_SECONDS, Sidecar, check_into
    from serving.node.standing import State

    configure_logs()
    if socket is not None and kind != "haproxy":
        raise InvalidInput("--socket belongs to --format haproxy.", "Add it.", field="socket")
    into = into.absolute()
    check_into(into)
    public = load_public_key(key)
    mirror = into / ".mirror"
    mirroring = mirroring_from(url, token=_token(token_file), directory=mirror, key=public)
    node = Node(mirror, public, kill=kill_file or into / "kill")
    maps = None
    if kind == "haproxy":
        maps = HaproxyMaps(into, None if socket is None else HaproxySocket(socket))
    sidecar = Sidecar(node, into, names=names, maps=maps)
    if once:
        try:
            mirroring.once()
        except FlyballError as error:
            click.echo(f"flyball: {error}", err=True)
        standing = sidecar.step(wall_clock_us())
        click.echo(f"{standing.state.value} {standing.version or 'none'}")
        return 0 if standing.state is State.FRESH and not sidecar.behind else 1
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    follower = Follower(node, mirroring, now_us=wall_clock_us, refreshes=False)
    follower.start()
    click.echo(f"Writing decisions of {url} into {into}")
    try:
        while True:
            sidecar.step(wall_clock_us())
            if stop.wait(LOOK_SECONDS):
                return 0
    finally:
        follower.stop()


def _token(path: Path | None) -> str | None:
    if path is None:
        return os.environ.get("FLYBALL_TOKEN") or None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(
            f"The token in {path} cannot be read: {error}.", "Check the path and its owner."
        ) from error
