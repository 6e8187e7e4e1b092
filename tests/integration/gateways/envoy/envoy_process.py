"""A real Envoy on one of the shipped configurations, its example addresses and paths replaced."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.gateways.asking_gateway import (
    GATEWAYS,
    UNHURRIED,
    AskingGateway,
    fresh_tenants,
    replaced,
    running,
)
from tests.integration.node.server import Server, free_port


def envoy_binary() -> str:
    """The binary of ``make envoy``, else one on the path; skips without any."""
    pattern = "envoy/lib/python*/site-packages/envoy/_bin/envoy"
    found = next(iter(Path(sys.prefix).glob(pattern)), None) or shutil.which("envoy")
    if found is None:
        pytest.skip("Envoy is not installed (make envoy)")
    return str(found)


@contextmanager
def envoy(
    name: str,
    folder: Path,
    server: Server,
    behind: int,
    *,
    hurried: bool = False,
    changes: dict[str, str] | None = None,
) -> Iterator[AskingGateway]:
    """Run ``gateways/envoy/NAME.yaml``; with ``hurried`` it keeps the deadline that is shipped."""
    binary = envoy_binary()
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    tenants = fresh_tenants()
    text = (GATEWAYS / "envoy" / f"{name}.yaml").read_text()
    text = text.replace("port_value: 9901", "port_value: 0")
    text = replaced(
        text,
        {
            "port_value: 8081": f"port_value: {port}",
            "port_value: 8000": f"port_value: {behind}",
            "client: ent_1": f"client: {tenants[0]}",
            "client: ent_2": f"client: {tenants[1]}",
            "/run/flyball/": f"{server.home.root.parent}/",
            "timeout: 0.020s": "timeout: 0.020s" if hurried else f"timeout: {UNHURRIED}",
            **(changes or {}),
        },
    )
    path = folder / "envoy.yaml"
    path.write_text(text)
    command = [binary, "-c", str(path), "--concurrency", "1", "--log-level", "warn"]
    # Shares nothing with another Envoy of this machine.
    command.append("--disable-hot-restart")
    with running(command, port, folder, tenants) as gateway:
        yield gateway
