"""Every reason code and guardrail setting is documented; every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import flyball
from flyball.guardrail_settings import GuardrailSettings
from flyball.reason import WORDS, Reason, for_cs, for_tenant
from flyball.spike import SpikeSettings

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
MODULES = [m.name for m in pkgutil.walk_packages(flyball.__path__, "flyball.")]


def test_every_reason_code_is_documented_as_it_is() -> None:
    text = (REFERENCE / "reason-codes.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    expected = [f"| `{r.value}` | {WORDS[r].cs} | {WORDS[r].tenant} |" for r in Reason]
    assert rows == expected


def test_every_guardrail_setting_is_documented_with_its_default() -> None:
    text = (REFERENCE / "guardrails.md").read_text(encoding="utf-8")
    defaults = GuardrailSettings().as_mapping()
    spike = defaults.pop("spike")
    defaults.update({f"spike.{name}": value for name, value in spike.items()})
    assert len(defaults) == len(GuardrailSettings.__dataclass_fields__) - 1 + len(
        SpikeSettings.__dataclass_fields__
    )
    for name, value in defaults.items():
        shown = {None: "none", True: "true", False: "false"}.get(value) if (
            value is None or isinstance(value, bool)
        ) else ("{}" if value == {} else f"{value:g}")  # fmt: skip
        assert f"| `{name}` | {shown} |" in text, name


def test_the_tenants_sentence_gives_nothing_away() -> None:
    secrets = ("probab", "score", "predict", "experiment", "holdout", "churn", "upsell", "model")
    for reason in Reason:
        assert not any(word in WORDS[reason].tenant.lower() for word in secrets), reason


def test_codes_become_sentences_and_a_later_versions_code_is_shown_as_it_is() -> None:
    assert for_cs(["spike", "from_the_future"]) == (WORDS[Reason.SPIKE].cs, "from_the_future")
    assert for_tenant(["from_the_future", "spike"]) == WORDS[Reason.SPIKE].tenant
    assert for_tenant([]) == "Your plan's usual limit applies."


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
