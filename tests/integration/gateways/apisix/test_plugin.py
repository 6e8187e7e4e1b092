"""APISIX's plugin, its Lua run by a real nginx on a stub of APISIX's API; not inside APISIX."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateways.nginx.decision_lines import DecisionFiles
from tests.integration.gateways.nginx.nginx_process import Nginx
from tests.integration.gateways.plugin_host import plugin_host
from tests.integration.gateways.plugin_rules import PluginRules
from tests.integration.gateways.service_behind import ServiceBehind

STUB = Path(__file__).with_name("stub")


class TestApisix(PluginRules):
    @pytest.fixture
    def running(
        self, files: DecisionFiles, behind: ServiceBehind, tmp_path: Path
    ) -> Iterator[Nginx]:
        # Consumers are named like their tenants; APISIX hands one table for each request on.
        access = """
            local names = { ["key-1"] = "ent_1", ["key-2"] = "ent_2" }
            ngx.ctx.api_ctx = { consumer_name = names[ngx.req.get_headers()["X-API-Key"]] }
            local status, body = plugin.access({}, ngx.ctx.api_ctx)
            if status then
                ngx.status = status
                ngx.print(body)
                return ngx.exit(status)
            end
        """
        phases = {
            "init": (
                f"stub_plugin_attr = {{ folder = '{files.folder}' }}"
                " plugin = require 'apisix.plugins.flyball'"
                " assert(plugin.check_schema({}) and plugin.name == 'flyball')"
            ),
            "init_worker": "plugin.init()",
            "access": access,
            "header_filter": "plugin.header_filter({}, ngx.ctx.api_ctx)",
            "log": "plugin.log({}, ngx.ctx.api_ctx)",
        }
        with plugin_host(tmp_path, behind.port, gateway="apisix", stub=STUB, phases=phases) as host:
            yield host
