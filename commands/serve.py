"""``flyball serve``: every plane in one command for one machine."""

from __future__ import annotations

import importlib.util
import os
import socket
from contextlib import suppress
from pathlib import Path

import click

from commands.console_child import announce_console, console_child, open_console
from commands.following import mirror_child, prepare_mirror
from flyball.errors import InvalidInput, ReadOnlyHome
from flyball.home import Home
from serving.envoy.grpc_settings import GrpcSettings
from serving.metrics_directory import metrics_directory
from serving.settings import load_settings
from serving.supervisor import ChildSpec


@click.command("serve")
@click.option("--host", help="Address to listen on [settings, else 127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65_535), help="TCP port [settings, else 8080].")
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes [settings, else 2].")
@click.option("--uds", type=click.Path(path_type=Path), help="Also listen on this Unix socket.")
@click.option(
    "--clock",
    type=click.Choice(["wall", "events"]),
    help="What `now` is for decisions: the wall clock, or the latest event's time.",
)
@click.option(
    "--console-port", type=click.IntRange(0, 65_535), help="The console's port [settings, 8090]."
)
@click.option(
    "--data-path-only",
    is_flag=True,
    help="Answer from the snapshot that is there; no control loop, no publisher.",
)
@click.option("--follow", help="Mirror the decisions of the Flyball service at this URL instead.")
@click.option(
    "--follow-key",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Its public key (keys/signing.pub); needed the first time.",
)
@click.option(
    "--follow-token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with a gateway's bearer token for it [FLYBALL_TOKEN].",
)
@click.pass_obj
def command(
    home: Home,
    host: str | None,
    port: int | None,
    workers: int | None,
    uds: Path | None,
    clock: str | None,
    console_port: int | None,
    data_path_only: bool,
    follow: str | None,
    follow_key: Path | None,
    follow_token_file: Path | None,
) -> None:
    """Take telemetry in, decide, and serve decisions until stopped."""
    from flyball.policies.registry import policy_named
    from serving.logs import configure_logs
    from serving.supervisor import Supervisor, take_lock

    configure_logs()
    settings = load_settings(home.settings)
    # Here and not at the first decision: a service that can never decide must not seem to start.
    policy_named(settings.policy.name, **settings.policy.params)
    host = host or settings.server.host
    try:
        lock = take_lock(home.lock)
        if follow is None:
            _prepare(home)
        else:
            prepare_mirror(home, follow, follow_key)
            data_path_only = True
    except ReadOnlyHome as error:
        # What was decided last can still be served; nothing can be taken in or decided anew.
        if not home.verify_key.exists():
            raise
        click.echo(f"flyball: {error} Serving the last snapshot only.", err=True)
        lock, data_path_only = -1, True
    _check_reach(home, host)
    _check_grpc(home, settings.grpc)
    listening = _listen(host, settings.server.port if port is None else port, uds)
    console = None if data_path_only else open_console(home, settings, console_port)
    try:
        with metrics_directory() as metrics:
            clock = clock or settings.decisions.clock.value
            children = _children(
                home,
                [sock.fileno() for sock in listening],
                workers or settings.server.workers,
                metrics,
                clock,
                data_path_only=data_path_only,
                mirrors=follow,
            )
            if follow is not None:
                children.append(mirror_child(home, follow, follow_token_file))
            if console is not None:
                children.append(console_child(home, console, clock))
            supervisor = Supervisor(children)
            _announce(listening[0], uds, home)
            if console is not None:
                announce_console(console)
            supervisor.run()
    finally:
        for sock in [*listening, *([console] if console is not None else [])]:
            sock.close()
        if uds is not None:
            with suppress(OSError):
                uds.unlink()
        if lock >= 0:
            os.close(lock)


def _prepare(home: Home) -> None:
    """The keys that snapshots are signed and checked with, before anything needs them."""
    from models.signature import ensure_keypair

    ensure_keypair(home.signing_key, home.verify_key)


def _check_reach(home: Home, host: str) -> None:
    from serving.listening import is_loopback

    if not is_loopback(host) and not home.tokens.exists():
        raise InvalidInput(
            f"Without a token Flyball is served on this machine only, not on {host}.",
            "Make one first: flyball token create --role gateway --name edge.",
            field="host",
        )


def _check_grpc(home: Home, settings: GrpcSettings) -> None:
    """Refuse at the start what the gRPC process would fail with again and again."""
    if not settings.listen:
        return
    if importlib.util.find_spec("grpc") is None:
        raise InvalidInput(
            "grpc.listen is set, but gRPC is not installed.",
            "Install the extra: pip install 'flyball[grpc]'.",
            field="grpc.listen",
        )
    if settings.host and not settings.client_ca:
        _check_reach(home, settings.host)


def _listen(host: str, port: int, uds: Path | None) -> list[socket.socket]:
    from serving.listening import listen_tcp, listen_unix

    listening = [listen_tcp(host, port)]
    if uds is not None:
        listening.append(listen_unix(uds))
    return listening


def _children(
    home: Home,
    fds: list[int],
    workers: int,
    metrics: Path,
    clock: str,
    *,
    data_path_only: bool,
    mirrors: str | None,
) -> list[ChildSpec]:
    sockets = [part for fd in fds for part in ("--fd", str(fd))]
    if mirrors is not None:
        sockets += ["--mirrors", mirrors]
    specs = [
        ChildSpec(
            name=f"worker-{number}",
            argv=(
                *("-m", "serving.worker_process", "--home", str(home.root)),
                *("--clock", clock, *sockets),
            ),
            fds=tuple(fds),
            environment={"PROMETHEUS_MULTIPROC_DIR": str(metrics)},
        )
        for number in range(1, workers + 1)
    ]
    if load_settings(home.settings).grpc.listen:
        specs.append(
            ChildSpec(
                name="grpc",
                argv=("-m", "serving.grpc_process", "--home", str(home.root)),
                environment={"PROMETHEUS_MULTIPROC_DIR": str(metrics)},
            )
        )
    if data_path_only:
        return specs
    specs.append(
        ChildSpec(
            name="control-loop",
            argv=("-m", "serving.control_process", "--home", str(home.root), "--clock", clock),
        )
    )
    # A machine without the training extra serves what another one publishes into its home.
    if importlib.util.find_spec("mlflow") is not None:
        specs.append(
            ChildSpec(
                name="publisher",
                argv=("-m", "commands", "--home", str(home.root), "publish", "--watch"),
            )
        )
    return specs


def _announce(sock: socket.socket, uds: Path | None, home: Home) -> None:
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"Serving {home.root} on http://{shown}:{port} (API: http://{shown}:{port}/docs)")
    if uds is not None:
        click.echo(f"and on the Unix socket {uds}")
