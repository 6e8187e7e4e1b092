"""The checked-in SQL, catalogue and page are what the definitions say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from features.catalogue import feature_sql

_ROOT = Path(__file__).resolve().parents[3]


def test_checked_in_files_are_up_to_date() -> None:
    pytest.importorskip("ibis", reason="the extra 'compile' is not installed")
    # A process of its own: definitions register into a registry of the process.
    done = subprocess.run(
        [sys.executable, "-m", "features.compiler", "--check"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"run: python -m features.compiler\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    "word",
    [
        "QUANTILE", "APPROX", "ASOF", "FIRST(", "LAST(", "INTERVAL", "DISTINCT ON", "HASH(",
        "EXCLUDE", "FILTER(", "QUALIFY", "ARG_MAX", "MAX_BY", "MEDIAN", "STRUCT", "LIST(",
    ],
)  # fmt: skip
def test_sql_stays_in_the_portable_subset(word: str) -> None:
    assert word not in feature_sql().upper()


def test_nothing_at_run_time_imports_ibis() -> None:
    script = (
        "import sys, duckdb\n"
        "from features.checks import table_of\n"
        "from features.histories import random_history\n"
        "history = random_history(1, tenants=3, days=5)\n"
        "assert table_of(history, [('t002', history.end_hour)]).num_rows == 1\n"
        "found = {'ibis', 'sqlglot', 'lightgbm', 'sklearn', 'mlflow'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(found)) or 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
