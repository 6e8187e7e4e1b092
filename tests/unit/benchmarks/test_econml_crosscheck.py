"""Without econml the cross-check says how to get it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.econml_crosscheck import main


def test_a_missing_econml_is_no_failure_and_says_how_to_install_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--python", str(tmp_path / "python")]) == 0
    assert "pip install econml" in capsys.readouterr().out
