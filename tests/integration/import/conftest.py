"""Import directories for tests: a small vendor with two plans and a few tenants."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from commands.main import run
from flyball.home import Home
from telemetry.database import open_database
from telemetry.history_files import history_relation, list_files

Rows = list[dict[str, Any]]

PLANS = [
    {
        "plan": name,
        "rank": rank,
        "monthly_price_minor": 9_900 * rank,
        "currency": "USD",
        "primary_meter": "api.requests",
        "limits": {"api.requests": {"base": 1_000 * rank, "contract": 700 * rank, "per": "hour"}},
    }
    for rank, name in ((1, "basic"), (2, "pro"))
]

ACCOUNTS: Rows = [
    {"tenant_id": f"ent_{i}", "plan": "basic", "created_at": "2026-01-01T00:00:00Z"}
    for i in range(3)
]


def usage_rows(count: int, tenants: int = 3) -> Rows:
    """Hourly usage from 2026-01-05 on, ids in order."""
    return [
        {
            "id": f"u{i:06d}",
            "tenant_id": f"ent_{i % tenants}",
            "time": f"2026-01-{5 + i // 24 % 20:02d}T{i % 24:02d}:00:00Z",
            "meter": "api.requests",
            "quantity": float(i % 50),
        }
        for i in range(count)
    ]


def write_csv(path: Path, rows: Rows) -> None:
    """Rows as CSV with the first row's columns."""
    names = list(rows[0])
    lines = [",".join(names), *(",".join(str(row.get(n, "")) for n in names) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def write_ndjson(path: Path, rows: Rows) -> None:
    """Rows as NDJSON."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


class Importer:
    """Runs ``flyball import`` on one home and reads back what is there."""

    def __init__(self, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys
        self.errors = ""

    def run(self, directory: Path, code: int = 0) -> dict[str, Any]:
        """The report of an import that must end with exit ``code``."""
        found = run(["--home", str(self.home.root), "import", "--json", str(directory)])
        captured = self._capsys.readouterr()
        self.errors = captured.err
        assert found == code, captured.err
        report: dict[str, Any] = json.loads(captured.out) if captured.out else {}
        return report

    def usage(self) -> list[tuple[Any, ...]]:
        """Every sealed event in order."""
        connection = open_database(self.home.events, read_only=True)
        try:
            sql = history_relation(self.home, list_files(connection))
        finally:
            connection.close()
        rows: list[tuple[Any, ...]] = duckdb.sql(
            "SELECT tenant_id, source, event_id, time_us, arrived_us, meter, quantity, endpoint"
            f" FROM ({sql}) ORDER BY ALL"
        ).fetchall()
        return rows

    def rejects(self, report: dict[str, Any]) -> list[dict[str, Any]]:
        """The lines of the rejects file."""
        if report["rejects"] is None:
            return []
        return [json.loads(line) for line in Path(report["rejects"]).read_text().splitlines()]


@pytest.fixture
def importer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Importer:
    """An importer into an empty home."""
    return Importer(Home(tmp_path / "home"), capsys)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An import directory with plans and accounts, ready for usage."""
    path = tmp_path / "in"
    path.mkdir()
    (path / "plans.json").write_text(json.dumps(PLANS))
    write_ndjson(path / "accounts.ndjson", ACCOUNTS)
    return path


Make = Callable[[Path, Rows], None]
