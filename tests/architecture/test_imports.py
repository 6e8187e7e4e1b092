"""Serving never loads a training library, and importing anything of ours does nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = ("lightgbm", "sklearn", "mlflow", "pandas", "ibis", "matplotlib", "onnx")
SERVE_TIME = ("flyball", "telemetry", "ledger", "features", "models", "serving", "console")


def modules_of(package: str) -> list[str]:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        # The compiler and the definitions exist to be compiled; nothing loads them at run time.
        compiled_away = name.startswith(("features.definitions", "features.compiler"))
        if not compiled_away and not name.endswith("__main__"):
            found.append(name)
    return found


@pytest.mark.parametrize("package", SERVE_TIME)
def test_no_training_library_is_loaded_at_serve_time(package: str) -> None:
    code = (
        f"import importlib, sys\n"
        f"for name in {modules_of(package)!r}: importlib.import_module(name)\n"
        f"print([m for m in {FORBIDDEN!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_importing_creates_nothing(tmp_path: Path) -> None:
    names = [name for package in SERVE_TIME for name in modules_of(package)]
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}
    )
    assert list(tmp_path.iterdir()) == []
