"""The shipped gateway configurations, each as it is, asking a null service, and without Flyball.

Gateways that ask before each request answer by themselves here, so that no service behind hides
what asking takes; gateways with a local copy stand before one, because proxying is what they are
compared with. Deadlines are long: a late answer would be counted as a fast one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from benchmarks.gateway_stage import ROOT, NotInstalled, Stage, listening, program
from benchmarks.serving import free_port

SHIPPED = ROOT / "gateways"


class Kind(StrEnum):
    """What a gateway asks."""

    PLAIN = "plain"  # nothing: the same gateway without us
    OURS = "ours"
    NULL = "null"  # a service that answers yes and does nothing else


#: Runs the gateway at a port, for the length of a block: stage, kind, and whose requests these are.
Start = Callable[[Stage, Kind, str], AbstractContextManager[int]]


@dataclass(frozen=True)
class Integration:
    """One way to put Flyball into one gateway; ``asks``: a request waits for an answer."""

    name: str
    asks: bool
    start: Start

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What it is measured as; who asks nobody has no null service to be compared with."""
        return (Kind.PLAIN, Kind.OURS, Kind.NULL) if self.asks else (Kind.PLAIN, Kind.OURS)


def replaced(text: str, changes: dict[str, str]) -> str:
    """A shipped configuration with its example values replaced; each must be there."""
    for old, new in changes.items():
        if old not in text:
            raise ValueError(f"{old} is not in the configuration any more")
        text = text.replace(old, new)
    return text


def without(text: str, *patterns: str) -> str:
    """A configuration without what the patterns match; each must match something."""
    for pattern in patterns:
        text, found = re.subn(pattern, "", text, flags=re.MULTILINE)
        if not found:
            raise ValueError(f"{pattern} matches nothing in the configuration any more")
    return text


def _asked(stage: Stage, kind: Kind, protocol: str = "http") -> str:
    return f"{stage.root}/{'null-' if kind is Kind.NULL else ''}{protocol}.sock"


def nginx_lua_text(text: str, kind: Kind) -> str:
    """``nginx.conf``, or what is left of it as a plain proxy."""
    if kind is Kind.OURS:
        return text
    return without(
        text,
        r"^load_module .*$",
        r"^    lua_\w+ .*$",
        r"^    init_by_lua_block \{[\s\S]*?^    \}$",
        r"^ +\w+_by_lua_block \{.*\}$",
        r"^        location = /flyball/metrics \{[\s\S]*?^        \}$",
    )


@contextmanager
def nginx_lua(stage: Stage, kind: Kind, tenant: str) -> Iterator[int]:
    """nginx that proxies, with Lua over the sidecar's files."""
    nginx = program("nginx", "nginx-light")
    if not Path("/usr/lib/nginx/modules/ngx_http_lua_module.so").exists():
        raise NotInstalled("nginx has no Lua: apt-get install libnginx-mod-http-lua")
    text = (SHIPPED / "nginx" / "nginx.conf").read_text()
    if kind is Kind.OURS:
        text = replaced(
            text,
            {
                "/etc/nginx/lua/": f"{SHIPPED}/nginx/",
                '"/run/flyball"': f'"{stage.files}"',
                "/var/lib/flyball-nginx": str(stage.spool),
                "http://127.0.0.1:8080": f"http://127.0.0.1:{stage.flyball}",
            },
        )
    text = without(nginx_lua_text(text, kind), r"^user .*$")
    with _nginx(stage, nginx, f"nginx-lua-{kind}", text, tenant) as port:
        yield port


def auth_request_text(text: str, kind: Kind, root: Path) -> str:
    """``auth_request.conf`` that answers with a file of its own, or without asking."""
    text = replaced(text, {"proxy_pass http://service;": f"root {root}; try_files /ok =404;"})
    if kind is not Kind.PLAIN:
        return text
    return without(
        text,
        r"^ +auth_request.*$",
        r"^ +add_header .*$",
        r"^ +error_page 403 .*$",
        r"^ +proxy_set_header (X-Flyball|Flyball|RateLimit|X-RateLimit|X-Tenant)\S* .*$",
        r"^    map \$flyball_said [\s\S]*?^    \}$",
        r"^        location (= /_flyball|@open|@refused) \{[\s\S]*?^        \}$",
    )


@contextmanager
def nginx_auth_request(stage: Stage, kind: Kind, tenant: str) -> Iterator[int]:
    """nginx that asks with ``auth_request``."""
    nginx = program("nginx", "nginx-light")
    (stage.root / "ok").write_text("ok")
    text = auth_request_text(
        (SHIPPED / "nginx" / "auth_request.conf").read_text(), kind, stage.root
    )
    text = replaced(text, {"server 127.0.0.1:8080": f"server unix:{_asked(stage, kind)}"})
    if kind is not Kind.PLAIN:
        text = replaced(text, {"_timeout 20ms": "_timeout 5s"})
    with _nginx(stage, nginx, f"nginx-auth-{kind}", text, tenant) as port:
        yield port


@contextmanager
def _nginx(stage: Stage, nginx: str, name: str, text: str, tenant: str) -> Iterator[int]:
    port, folder = free_port(), stage.root / name
    folder.mkdir()
    (folder / "api_keys.map").write_text(f'"demo-key-1" {tenant};\n')
    text = replaced(
        text,
        {
            "worker_processes auto": "worker_processes 1",
            "error_log stderr": f"error_log {folder}/error.log",
            "/run/flyball-nginx.pid": f"{folder}/nginx.pid",
            "/etc/nginx/api_keys.map": f"{folder}/api_keys.map",
            "127.0.0.1:8000": f"127.0.0.1:{stage.behind}",
            "127.0.0.1:8081": f"127.0.0.1:{port}",
        },
    )
    (folder / "nginx.conf").write_text(text)
    arguments = ["-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", f"{folder}/error.log"]
    # Workers of root's nginx drop to nobody, who may not read a temporary directory of root's.
    directives = "daemon off; user root;"
    with listening([nginx, *arguments, "-g", directives], port) as found:
        yield found


def haproxy_text(text: str, kind: Kind) -> str:
    """``haproxy.cfg``, or its frontend with nothing but the key's name."""
    text = text.replace("    maxconn 4000", "    maxconn 4000\n    nbthread 1")
    if kind is Kind.OURS:
        return text
    return without(
        text,
        r"^    (stats|setenv|lua-load) .*$",
        r"^backend flyball_\w+\n.*$",
        r"^    http-request del-header (X-Flyball|X-RateLimit|Flyball|RateLimit|X-Tenant).*$",
        r"^    http-request set-var\(txn\.(?!name).*$",
        r"^    http-request (set-header|track-sc\d|sc-inc-gpc0\(0\)|lua\.\w+) ?.*$",
        r"^    http-request return status 429 .*$",
        r"^    http-after-response .*$",
        r"^    acl .*$",
    )


@contextmanager
def haproxy_maps(stage: Stage, kind: Kind, tenant: str) -> Iterator[int]:
    """HAProxy that proxies, with maps that the sidecar changes."""
    port, folder = free_port(), stage.root / f"haproxy-{kind}"
    folder.mkdir()
    (folder / "api_keys.map").write_text(f"demo-key-1 {tenant}\n")
    text = (SHIPPED / "haproxy" / "haproxy.cfg").read_text()
    if kind is Kind.OURS:
        text = replaced(
            text,
            {
                "/run/haproxy/admin.sock": str(stage.admin_socket),
                "/etc/haproxy/flyball.lua": f"{SHIPPED}/haproxy/flyball.lua",
                "/run/flyball": str(stage.files),
            },
        )
    text = replaced(
        haproxy_text(text, kind),
        {
            "/etc/haproxy/api_keys.map": f"{folder}/api_keys.map",
            "127.0.0.1:8000": f"127.0.0.1:{stage.behind}",
            "127.0.0.1:8081": f"127.0.0.1:{port}",
        },
    )
    (folder / "haproxy.cfg").write_text(text)
    command = [program("haproxy", "haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]
    with listening(command, port) as found:
        yield found


def caddy_text(text: str, kind: Kind) -> str:
    """The ``Caddyfile`` that answers by itself, or without asking."""
    text = replaced(text, {"reverse_proxy 127.0.0.1:8000": "respond 200"})
    if kind is not Kind.PLAIN:
        return text
    return without(
        text,
        r"^\t\trequest_header -(X-Flyball|X-RateLimit|Flyball|RateLimit|X-Tenant).*$",
        r"^\t\trequest_header X-Flyball-Tenant .*$",
        r"^\t\treverse_proxy unix//[\s\S]*?^\t\t\}$",
        r"^\thandle_errors \{[\s\S]*?^\t\}$",
    )


@contextmanager
def caddy_forward_auth(stage: Stage, kind: Kind, tenant: str) -> Iterator[int]:
    """Caddy that asks with what ``forward_auth`` is short for."""
    port, folder = free_port(), stage.root / f"caddy-{kind}"
    folder.mkdir()
    text = caddy_text((SHIPPED / "caddy" / "Caddyfile").read_text(), kind)
    changes = {
        "http://127.0.0.1:8081": f"http://127.0.0.1:{port}",
        '"demo-key-1" ent_1': f'"demo-key-1" {tenant}',
    }
    if kind is not Kind.PLAIN:
        changes["unix//run/flyball/http.sock"] = f"unix/{_asked(stage, kind)}"
        changes["_timeout 20ms"] = "_timeout 5s"
    (folder / "Caddyfile").write_text(replaced(text, changes))
    command = [program("caddy", "caddy"), "run", "--adapter", "caddyfile"]
    command += ["--config", str(folder / "Caddyfile")]
    home = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    with listening(command, port, home) as found:
        yield found


def envoy_text(text: str, kind: Kind) -> str:
    """A configuration of Envoy that answers by itself, or without asking."""
    text = replaced(text, {"route: {cluster: service}": "direct_response: {status: 200}"})
    if kind is not Kind.PLAIN:
        return text
    text = without(text, r"^          # 3\. [\s\S]*?(?=^          # 4\. )")
    if "typed_per_filter_config" in text:
        text = without(
            text, r"^                typed_per_filter_config:\n[\s\S]*?(?=^          http_filters:)"
        )
    return text


def _envoy(file: str, protocol: str) -> Start:
    @contextmanager
    def start(stage: Stage, kind: Kind, tenant: str) -> Iterator[int]:
        pattern = "envoy/lib/python*/site-packages/envoy/_bin/envoy"
        envoy = next(Path(sys.prefix).glob(pattern), None)
        if envoy is None:
            raise NotInstalled("Envoy is missing: make envoy")
        port = free_port()
        text = envoy_text((SHIPPED / "envoy" / f"{file}.yaml").read_text(), kind)
        changes = {
            "port_value: 8081": f"port_value: {port}",
            "port_value: 9901": "port_value: 0",
            f"/run/flyball/{protocol}.sock": _asked(stage, kind, protocol),
            "client: ent_1": f"client: {tenant}",
        }
        if kind is not Kind.PLAIN:
            changes["timeout: 0.020s"] = "timeout: 5s"
        path = stage.root / f"envoy-{file}-{kind}.yaml"
        path.write_text(replaced(text, changes))
        command = [str(envoy), "-c", str(path), "--concurrency", "1", "--disable-hot-restart"]
        with listening([*command, "--log-level", "error"], port) as found:
            yield found

    return start


_PYTHON = """
import os
KEYS = {{b"demo-key-1": "{tenant}"}}

def tenant_of(scope):
    return KEYS.get(dict(scope["headers"]).get(b"x-api-key"))

HEAD = [(b"content-length", b"2")]
async def app(scope, receive, send):
    if scope["type"] == "http" and tenant_of(scope):
        await send({{"type": "http.response.start", "status": 200, "headers": HEAD}})
        await send({{"type": "http.response.body", "body": b"ok"}})
"""

_MIDDLEWARE = """
from flyball.asgi import FlyballMiddleware
app = FlyballMiddleware(
    app, url="http://127.0.0.1:{flyball}", key="{key}", directory="{folder}/node",
    identify=lambda scope: tenant_of(scope))
"""


@contextmanager
def python_middleware(stage: Stage, kind: Kind, tenant: str) -> Iterator[int]:
    """A bare ASGI application under uvicorn, with the middleware in front of it."""
    port, folder = free_port(), stage.root / f"python-{kind}"
    folder.mkdir()
    text = _PYTHON.format(tenant=tenant)
    if kind is Kind.OURS:
        text += _MIDDLEWARE.format(flyball=stage.flyball, key=stage.key, folder=folder)
    (folder / "measured.py").write_text(text)
    command = [sys.executable, "-m", "uvicorn", "measured:app", "--app-dir", str(folder)]
    command += ["--port", str(port), "--no-access-log", "--log-level", "error"]
    with listening([*command, "--lifespan", "off"], port) as found:
        yield found


INTEGRATIONS = (
    Integration("nginx with Lua", False, nginx_lua),
    Integration("HAProxy with maps", False, haproxy_maps),
    Integration("Python with middleware", False, python_middleware),
    Integration("nginx auth_request", True, nginx_auth_request),
    Integration("Caddy forward_auth", True, caddy_forward_auth),
    Integration("Envoy HTTP ext_authz", True, _envoy("forward-auth", "http")),
    Integration("Envoy gRPC ext_authz", True, _envoy("ext-authz", "grpc")),
)
