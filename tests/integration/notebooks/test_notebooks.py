"""Every notebook runs from top to bottom, on a small population."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[3] / "notebooks").glob("*.py"))
#: Tenants with which a notebook still has something to show; 120 where it is not here.
TENANTS = {
    "read_effects": 400, "train_and_compare": 500, "value_policies_off_policy": 500,
}  # fmt: skip


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make demo` leaves, small: a history, and this week's decisions by lot."""
    folder = tmp_path_factory.mktemp("demo")
    home, end = folder / "home", "2026-06-01T00:00:00Z"
    steps: tuple[tuple[str, ...], ...] = (
        ("simulation", "--out", str(folder / "history"), "--tenants", "100", "--weeks", "7",
         "--end", end, "--quiet"),
        ("commands", "--home", str(home), "import", str(folder / "history")),
        ("commands", "--home", str(home), "experiment", "start", "tests", "--at", end,
         "--reason", "to learn", "--author", "tests"),
        ("commands", "--home", str(home), "decide", "--mode", "live", "--as-of", end,
         "--out", str(folder / "decisions.ndjson")),
    )  # fmt: skip
    for step in steps:
        command = [sys.executable, "-m", *step]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
    return home


@pytest.mark.slow
@pytest.mark.train
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_from_top_to_bottom(
    path: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jupytext = pytest.importorskip("jupytext", reason="the notebook extra is not installed")
    nbclient = pytest.importorskip("nbclient", reason="the notebook extra is not installed")
    monkeypatch.setenv("FLYBALL_NOTEBOOK_TENANTS", str(TENANTS.get(path.stem, 120)))
    monkeypatch.setenv("FLYBALL_NOTEBOOK_WEEKS", "8")
    monkeypatch.setenv("FLYBALL_HOME", str(home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    # The kernel drops its own folder from PYTHONPATH; the installed packages are what it must find.
    monkeypatch.delenv("PYTHONPATH", raising=False)
    # The kernel's files stay out of the person's own configuration.
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = jupytext.read(path)
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output["output_type"] == "error"]


def test_notebooks_are_kept_as_text() -> None:
    assert NOTEBOOKS
    assert not list(NOTEBOOKS[0].parent.glob("*.ipynb"))
