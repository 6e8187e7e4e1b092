"""nginx whose Lua finds a tenant in the node's own memory and answers with its limit.

The floor of what a gateway with a local copy spends on a decision: the shipped Lua
(``gateways/nginx/flyball``) over a sidecar's files, with nothing behind it and nothing counted.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from benchmarks.gateway_stage import NotInstalled
from benchmarks.serving import free_port
from serving.node.lines import WireDecision, changes_head, limit_columns, version_line

_MODULES = Path("/usr/lib/nginx/modules")
_LUA = Path(__file__).resolve().parents[1] / "gateways" / "nginx"
_ARMS = (70, 85, 100, 115, 130)
#: Of the shared dictionary; a short entry takes about 250.
_BYTES_A_TENANT = 400

_CONFIG = """
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
user root; daemon off; worker_processes {workers}; pid {root}/lua.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
access_log off; keepalive_requests 1000000000;
lua_package_path "{lua}/?.lua;;";
lua_shared_dict flyball_decisions {megabytes}m;
init_by_lua_block {{
    decisions, lines = require("flyball.decisions"), require("flyball.lines")
    decisions.open {{ decisions_dict = "flyball_decisions", folder = "{root}/files",
                      kill_file = "{root}/files/kill" }}
}}
init_worker_by_lua_block {{ ngx.timer.every(0.25, decisions.follow) }}
server {{ listen 127.0.0.1:{port}; listen unix:{root}/lua.sock;
location /v1/decisions/ {{ default_type application/json; content_by_lua_block {{
    local tenant, columns = decisions.of(string.sub(ngx.var.uri, 15))
    if not tenant then return ngx.exit(404) end
    local terms = lines.terms(columns, decisions.standing(ngx.now()) ~= "fresh")
    local first = terms.limits[1]
    local body = '{{"tenantId":"' .. tenant .. '","effectiveLimit":' .. first.limit
        .. ',"windowSeconds":' .. first.window .. '}}'
    ngx.header.content_length = #body
    ngx.print(body)
}} }} }} }}
"""


def nginx_lua(
    root: Path, nginx: str, tenants: int, workers: int
) -> tuple[list[str], dict[str, str]]:
    """The command that runs it, and its addresses; raises NotInstalled where it cannot be run."""
    if not (_MODULES / "ngx_http_lua_module.so").exists():
        raise NotInstalled("nginx has no Lua: apt-get install libnginx-mod-http-lua")
    _write_files(root / "files", tenants)
    config, port = root / "lua.conf", free_port()
    config.write_text(
        _CONFIG.format(
            modules=_MODULES,
            root=root,
            lua=_LUA,
            port=port,
            workers=workers,
            megabytes=max(16, tenants * _BYTES_A_TENANT >> 20),
        )
    )
    addresses = {"tcp": str(port), "unix": f"{root}/lua.sock"}
    return [nginx, "-e", "stderr", "-c", str(config)], addresses


def _write_files(folder: Path, tenants: int) -> None:
    """What a sidecar has after its first pass: the tenants of ``benchmarks.serving.make_home``."""
    folder.mkdir()
    now = int(time.time())
    columns = [limit_columns(_decision(arm)) for arm in _ARMS]
    with (folder / "decisions.tsv").open("w") as file:
        file.write(version_line(1, 1, 0, now, now + 86_400))
        file.writelines(f"ent_{n}\tent_{n}\t{columns[n % 5]}" for n in range(tenants))
    (folder / "changes.tsv").write_text(changes_head(1))


def _decision(arm: int) -> WireDecision:
    limit = (
        f'[{{"meter":"api.requests","kind":"rate","baseLimit":10000,"effectiveLimit":{arm * 100}'
    )
    return WireDecision(
        tenantId="", enforceFriction=arm < 100, source="fresh",
        limits=msgspec.Raw(f'{limit},"windowSeconds":60}}]'.encode()),
    )  # fmt: skip
