"""Kong's plugin, its Lua run by a real nginx on a stub of Kong's API; not inside Kong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateways.nginx.decision_lines import DecisionFiles
from tests.integration.gateways.nginx.nginx_process import Nginx
from tests.integration.gateways.plugin_host import plugin_host
from tests.integration.gateways.plugin_rules import (
    check_limits_follow_and_nothing_is_reset,
    check_nothing_can_be_forged,
    check_slots_are_waited_for,
    check_the_kill_file_opens,
    first_lines,
)
from tests.integration.gateways.service_behind import ServiceBehind, service_behind

STUB = Path(__file__).with_name("stub")


@pytest.fixture(scope="module")
def behind() -> Iterator[ServiceBehind]:
    with service_behind() as running:
        yield running


@pytest.fixture
def files(tmp_path: Path) -> DecisionFiles:
    written = DecisionFiles(tmp_path / "flyball")
    written.write(*first_lines())
    return written


@pytest.fixture
def running(
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


def test_the_schema_loads(files: DecisionFiles, behind: ServiceBehind, tmp_path: Path) -> None:
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


def test_limits_follow_and_nothing_is_reset(running: Nginx, files: DecisionFiles) -> None:
    check_limits_follow_and_nothing_is_reset(running, files)


def test_nothing_can_be_forged(running: Nginx) -> None:
    check_nothing_can_be_forged(running)


def test_the_kill_file_opens(running: Nginx, files: DecisionFiles) -> None:
    check_the_kill_file_opens(running, files)


def test_slots_are_waited_for(running: Nginx, files: DecisionFiles, behind: ServiceBehind) -> None:
    check_slots_are_waited_for(running, files, behind)
