"""What the documents say is so: links lead somewhere, metrics and commands are described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from commands.main import COMMANDS
from serving.metrics import WorkerMetrics

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [t for t in _LINK.findall(page.read_text()) if "://" not in t]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_every_metric_is_documented_and_every_documented_one_exists() -> None:
    registry = CollectorRegistry()
    WorkerMetrics(registry, shared=False)
    exposed = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in registry.collect()
    }
    text = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    documented = set(re.findall(r"^\| `(flyball_[a-z_]+)` \|", text, flags=re.MULTILINE))
    assert exposed == documented


def test_every_command_in_the_documents_exists() -> None:
    for page in PAGES:
        used = set(re.findall(r"^\$ flyball ([a-z]+)", page.read_text(), flags=re.MULTILINE))
        assert used <= set(COMMANDS), page


def test_every_command_has_its_module() -> None:
    for module in COMMANDS.values():
        assert (ROOT / "commands" / f"{module}.py").exists(), module


def test_every_decision_record_has_its_three_parts() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [record.name[:4] for record in records]
    assert len(set(numbers)) == len(numbers)
    for record in records:
        text = record.read_text()
        for part in ("Context", "Decision", "Consequences"):
            assert part in text, f"{record.name} lacks {part}"
