"""Outsiders import ``flyball.asgi``; the rules stay free of server code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import flyball.asgi
from serving.middleware.service import FlyballMiddleware
from serving.middleware.settings import ThrottleSettings
from serving.middleware.tenancy import Tenancy

ROOT = Path(__file__).resolve().parents[4]


def test_the_names_lead_to_the_classes() -> None:
    assert flyball.asgi.FlyballMiddleware is FlyballMiddleware
    assert flyball.asgi.ThrottleSettings is ThrottleSettings
    assert flyball.asgi.Tenancy is Tenancy


def test_another_name_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Brake'"):
        flyball.asgi.Brake  # type: ignore[attr-defined]  # noqa: B018


def test_importing_it_loads_no_server_code() -> None:
    code = "import sys, flyball.asgi; print(sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "'flyball'" in done.stdout
    assert "'serving'" not in done.stdout
