"""The real Caddy asks a real `flyball serve`. Traefik's ForwardAuth speaks the same contract."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.integration.gateways.asking_gateway import (
    GATEWAYS,
    AskingGateway,
    fresh_tenants,
    replaced,
    running,
)
from tests.integration.gateways.asking_rules import AskingRules, hourly
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.node.server import Server, free_port
from tests.integration.robustness.process import until


@contextmanager
def caddy(
    text: str, port: int, folder: Path, tenants: tuple[str, str] = ("", "")
) -> Iterator[AskingGateway]:
    binary = shutil.which("caddy")
    if binary is None:
        pytest.skip("Caddy is not installed (Debian: caddy)")
    path = folder / "Caddyfile"
    path.write_text(text)
    command = [binary, "run", "--adapter", "caddyfile", "--config", str(path)]
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with running(command, port, folder, tenants, environment=home) as gateway:
        yield gateway


class TestCaddy(AskingRules):
    @pytest.fixture(autouse=True)
    def _behind(self, behind: ServiceBehind) -> None:
        self.behind = behind.port

    def gateway(
        self, server: Server, folder: Path, *, hurried: bool = False
    ) -> AbstractContextManager[AskingGateway]:
        port, tenants = free_port(), fresh_tenants()
        text = replaced(
            (GATEWAYS / "caddy" / "Caddyfile").read_text(),
            {
                "http://127.0.0.1:8081": f"http://127.0.0.1:{port}",
                "127.0.0.1:8000": f"127.0.0.1:{self.behind}",
                "unix//run/flyball/": f"unix/{server.home.root.parent}/",
                '"demo-key-1" ent_1': f'"demo-key-1" {tenants[0]}',
                '"demo-key-2" ent_2': f'"demo-key-2" {tenants[1]}',
                "_timeout 20ms": "_timeout 20ms" if hurried else "_timeout 5s",
            },
        )
        return caddy(text, port, folder, tenants)

    def test_what_the_service_behind_refuses_or_fails_stays_its_own(
        self, server: Server, unhurried: AskingGateway
    ) -> None:
        unhurried.wait_for(lambda answer: "flyball-state" in answer.headers)
        assert unhurried.get(path="/forbidden").status_code == 403


def test_the_proxy_beside_traefik_answers_yes_where_flyball_does_not_answer(
    server: Server, tmp_path: Path
) -> None:
    port = free_port()
    one, _ = fresh_tenants()
    text = replaced(
        (GATEWAYS / "traefik" / "fail-open.Caddyfile").read_text(),
        {
            "127.0.0.1:8084": f"127.0.0.1:{port}",
            "unix//run/flyball/": f"unix/{server.home.root.parent}/",
            "_timeout 20ms": "_timeout 5s",
        },
    )
    server.publish_all(hourly(100, one, base=3))
    with caddy(text, port, tmp_path) as proxy:

        def asked() -> tuple[int, str]:
            # As Traefik asks: the tenant that it has authenticated, method and path beside it.
            told = {"x_flyball_tenant": one, "x_forwarded_method": "POST", "x_forwarded_uri": "/a"}
            answer = proxy.get(None, "/v1/authorize", **told)
            return answer.status_code, answer.headers["flyball-state"]

        until(lambda: asked() == (200, "fresh"), what="fresh")
        assert [asked()[0] for _ in range(3)] == [200, 200, 429]
        server.kill()
        assert asked() == (200, "open")
        server.start()
        until(lambda: asked() == (429, "fresh"), what="it follows again")
