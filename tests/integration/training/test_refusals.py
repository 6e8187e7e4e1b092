"""Every gate in turn refuses a real candidate: none is left without such a test."""

from __future__ import annotations

from pathlib import Path


def test_every_gate_is_refused_by_a_test() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "gates.md"
    table = page.read_text("utf-8").split("| gate | figure |")[1].split("\n\n")[0]
    named = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    tests = sorted(Path(__file__).parent.glob("test_refusals_of_*.py"))
    here = "".join(path.read_text("utf-8") for path in tests)
    missing = {
        name for name in named - {"evidence"} if f'"{name}"' not in here and f'"{name}.' not in here
    }
    assert tests
    assert not missing
