"""Kong's plugin, its Lua run by a real nginx on a stub of Kong's API; not inside Kong."""

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


class TestKong(PluginRules):
    @pytest.fixture
    def running(
        self,
        files: DecisionFiles,
        behind: ServiceBehind,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Iterator[Nginx]:
        monkeypatch.setenv("FLYBALL_FOLDER", str(files.folder))
        conf = "{ identity = 'custom_id' }"
        phases = {
            "init": "kong = require 'kong_pdk' plugin = require 'kong.plugins.flyball.handler'",
            "init_worker": "plugin:init_worker()",
            "access": f"plugin:access({conf})",
            "header_filter": f"plugin:header_filter({conf})",
            "log": f"plugin:log({conf})",
        }
        with plugin_host(tmp_path, behind.port, gateway="kong", stub=STUB, phases=phases) as host:
            yield host

    def test_the_schema_loads(
        self, files: DecisionFiles, behind: ServiceBehind, tmp_path: Path
    ) -> None:
        phases = {
            "init": "schema = require 'kong.plugins.flyball.schema'",
            "init_worker": "",
            "access": "",
            "header_filter": (
                "local config = schema.fields[3].config "
                "ngx.header['X-Default'] = schema.name .. config.fields[1].identity.default"
            ),
            "log": "",
        }
        with plugin_host(tmp_path, behind.port, gateway="kong", stub=STUB, phases=phases) as host:
            assert host.get().headers["X-Default"] == "flyballcustom_id"
