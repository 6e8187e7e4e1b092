from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _generated_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same worlds wherever tests run, real series beside the checkout or not."""
    monkeypatch.setenv("FLYBALL_SERIES", "none")
