"""The reference page names every field of the manifest and of the pointer."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.current import Pointer
from models.manifest import GRAPHS, Manifest, OutcomeModel

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "bundle.md").read_text()
FIELDS = (
    *Manifest.__struct_fields__,
    *Pointer.__struct_fields__,
    *OutcomeModel.__struct_fields__,
    *GRAPHS,
)


@pytest.mark.parametrize("field", sorted(set(FIELDS)))
def test_every_field_is_on_the_page(field: str) -> None:
    assert f"`{field}`" in PAGE
