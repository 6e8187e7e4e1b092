"""The tree, the linter's roots and the wheel's packages are one list; no room has a lazy name."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

LAZY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "stuff", "base", "core"}
MAX_LINES = 400

# The table of DESIGN section 4, as the tree must obey it.
MAY_IMPORT: dict[str, set[str]] = {
    "flyball": set(),
    "telemetry": {"flyball"},
    "ledger": {"flyball"},
    "features": {"flyball"},
    "models": {"flyball", "features"},
    "training": {"flyball", "telemetry", "ledger", "features", "models"},
    "serving": {"flyball", "telemetry", "ledger", "features", "models"},
    "console": {"flyball", "ledger", "telemetry", "models"},
    "simulation": set(),
    "commands": set(PACKAGES) - {"commands"},
}


def test_folders_linter_roots_and_wheel_packages_are_the_same_list() -> None:
    tool = PROJECT["tool"]
    assert sorted(tool["importlinter"]["root_packages"]) == PACKAGES
    assert sorted(tool["hatch"]["build"]["targets"]["wheel"]["packages"]) == PACKAGES
    assert sorted(MAY_IMPORT) == PACKAGES
    assert set(PACKAGES) <= set(tool["mypy"]["packages"])


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_the_design_allows(package: str) -> None:
    imported: set[str] = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                imported.add(node.module.split(".")[0])
    ours = (imported & set(PACKAGES)) - {package}
    assert ours <= MAY_IMPORT[package], f"{package} imports {sorted(ours - MAY_IMPORT[package])}"


def test_no_module_has_a_name_that_says_nothing_or_shadows_the_standard_library() -> None:
    names = {path.stem for path in MODULES} | {path.parent.name for path in MODULES}
    assert not names & LAZY_NAMES
    top = set(PACKAGES)
    assert not top & set(sys.stdlib_module_names)
    shadows = {path.stem for path in MODULES} & set(sys.stdlib_module_names)
    assert not shadows - {"__init__", "__main__"}, shadows


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_stays_small_and_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{path.name} has no docstring"


def test_the_architecture_table_names_every_package_and_module_group() -> None:
    table = (ROOT / "ARCHITECTURE.md").read_text()
    named = set(re.findall(r"^\| `([a-z_/]+)/` \|", table, flags=re.MULTILINE))
    rooms = {
        str(path.parent.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("__init__.py")
    }
    others = {"benchmarks", "docs", "gateways", "notebooks", "tests"}
    assert named == rooms | {other for other in others if (ROOT / other).exists()}


def test_nothing_of_a_machine_or_a_registry_is_committed() -> None:
    words = (
        "/home/",
        "/root/",
        "/wo" + "rk/",
        "pypi.org/simple",
        "files.pythonhosted",
        "index-url",
    )
    texts = [*MODULES, ROOT / "constraints.txt", ROOT / "pyproject.toml", ROOT / "README.md"]
    texts += [*(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.py")]
    found = [(p.name, word) for p in texts for word in words if word in p.read_text()]
    assert not found
