"""nginx with Lua in the place of a gateway built on it: runs a plugin on a stub of its API.

It proves what the plugin's Lua does when its phases are called as the gateway documents, not that
the gateway calls them so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.gateways.nginx.nginx_process import (
    GATEWAYS,
    Nginx,
    need_nginx,
    nginx,
)
from tests.integration.node.server import free_port

_CONFIGURATION = """
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
worker_processes 2;
error_log {folder}/error.log warn;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    lua_package_path "{paths};;";
    lua_shared_dict flyball_decisions 4m;
    lua_shared_dict flyball_counters 4m;
    init_by_lua_block {{ {init} }}
    init_worker_by_lua_block {{ {init_worker} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            access_by_lua_block {{ {access} }}
            header_filter_by_lua_block {{ {header_filter} }}
            log_by_lua_block {{ {log} }}
            proxy_pass http://127.0.0.1:{behind};
        }}
    }}
}}
"""


@contextmanager
def plugin_host(
    folder: Path, behind: int, *, gateway: str, stub: Path, phases: dict[str, str]
) -> Iterator[Nginx]:
    """Run the plugin of ``gateways/<gateway>``; ``phases`` says what each phase calls."""
    need_nginx()
    port = free_port()
    roots = (GATEWAYS / gateway, stub, GATEWAYS / "nginx")
    text = _CONFIGURATION.format(
        folder=folder,
        port=port,
        behind=behind,
        paths=";".join(f"{root}/?.lua" for root in roots),
        **phases,
    )
    with nginx(text, port, folder) as running:
        yield running
