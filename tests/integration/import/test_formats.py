"""The three formats say the same; order and repetition change nothing."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from telemetry import usage_import

from .conftest import ACCOUNTS, Importer, Make, Rows, usage_rows, write_csv, write_ndjson


def write_parquet_text(path: Path, rows: Rows) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=100)


def write_parquet_native(path: Path, rows: Rows) -> None:
    columns = {
        "time": pa.array(
            [datetime.fromisoformat(row["time"]) for row in rows], pa.timestamp("us", "UTC")
        ),
        "tenant_id": pa.array([row["tenant_id"] for row in rows]).dictionary_encode(),
        "quantity": pa.array([round(row["quantity"]) for row in rows]).cast(pa.decimal128(30, 3)),
        "id": pa.array([row["id"] for row in rows], pa.large_string()),
        "meter": pa.array([row["meter"] for row in rows], pa.string_view()),
        "remark": pa.array([[1]] * len(rows)),
    }
    pq.write_table(pa.table(columns), path)


def write_quoted_csv(path: Path, rows: Rows) -> None:
    names = list(rows[0])[::-1]
    lines = [",".join(names)]
    lines += [",".join(f'"{row[name]}"' for name in names) for row in rows]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())


FORMATS: list[tuple[str, Make]] = [
    ("usage.csv", write_csv),
    ("usage-quoted.csv", write_quoted_csv),
    ("usage.ndjson", write_ndjson),
    ("usage.jsonl", write_ndjson),
    ("usage.parquet", write_parquet_text),
    ("usage_native.parquet", write_parquet_native),
]


@pytest.mark.parametrize(("name", "write"), FORMATS)
def test_every_format_gives_the_same_history(
    importer: Importer, directory: Path, name: str, write: Make
) -> None:
    rows = usage_rows(300)
    write(directory / name, rows)
    report = importer.run(directory)
    assert report["files"][name]["accepted"] == report["files"][name]["read"] == 300
    assert report["rejects"] is None
    found = importer.usage()
    assert [(r[0], r[1], r[5], r[6]) for r in found[:2]] == [
        ("ent_0", "import", "api.requests", 0.0),
        ("ent_0", "import", "api.requests", 3.0),
    ]
    assert len(found) == 300
    assert all(row[3] == row[4] for row in found)  # history arrives with its own time


def test_importing_again_changes_nothing(importer: Importer, directory: Path) -> None:
    write_csv(directory / "usage.csv", usage_rows(100))
    write_ndjson(directory / "usage-2.ndjson", usage_rows(120)[50:])
    first = importer.run(directory)
    assert first["total"]["accepted"] == 120 + 3 + 2
    assert first["files"]["usage.csv"]["duplicates"] == 50
    before = importer.usage()
    again = importer.run(directory)
    assert again["total"]["accepted"] == 0
    assert again["total"]["duplicates"] == again["total"]["read"]
    assert importer.usage() == before


def test_usage_may_lie_in_a_folder_and_come_before_accounts(
    importer: Importer, directory: Path, tmp_path: Path
) -> None:
    usage = tmp_path / "first" / "usage"
    (usage / "2026").mkdir(parents=True)
    write_csv(usage / "a.csv", usage_rows(30))
    write_csv(usage / "2026" / "b.csv", usage_rows(60)[30:])
    first = importer.run(usage.parent)
    assert first["total"]["pending"] == 60
    assert importer.usage() == []
    again = importer.run(usage.parent)
    assert again["total"]["pending"] == 60
    importer.run(directory)
    final = importer.run(usage.parent)
    assert (final["total"]["duplicates"], final["total"]["pending"]) == (60, 0)


def test_aliases_are_their_tenants(importer: Importer, directory: Path) -> None:
    write_ndjson(directory / "accounts.ndjson", [{**ACCOUNTS[0], "aliases": ["key-1"]}])
    row = usage_rows(1)[0]
    write_ndjson(directory / "usage.ndjson", [row, {**row, "tenant_id": "key-1"}])
    report = importer.run(directory)
    assert report["files"]["usage.ndjson"] == {
        "read": 2,
        "accepted": 1,
        "duplicates": 1,
        "conflicts": 0,
        "pending": 0,
        "rejected": {},
    }


def test_contradictions_are_refused_and_named(importer: Importer, directory: Path) -> None:
    rows = usage_rows(2)
    write_ndjson(directory / "usage.ndjson", [*rows, {**rows[0], "quantity": 7}])
    report = importer.run(directory)
    assert report["files"]["usage.ndjson"]["conflicts"] == 1
    (reject,) = importer.rejects(report)
    assert (reject["line"], reject["code"], reject["row"]["id"]) == (3, "conflict", "u000000")
    write_ndjson(directory / "usage.ndjson", [{**rows[1], "time": "2026-01-09T00:00:00Z"}])
    again = importer.run(directory)
    assert again["files"]["usage.ndjson"]["conflicts"] == 1
    assert len(importer.usage()) == 2


def test_arrivals_are_kept_and_never_lie_before_the_event(
    importer: Importer, directory: Path
) -> None:
    rows = usage_rows(2)
    rows[0]["ingested_at"] = "2026-01-08T00:00:00Z"
    rows[1]["ingested_at"] = "2026-01-01T00:00:00Z"
    write_ndjson(directory / "usage.ndjson", rows)
    importer.run(directory)
    late, early = importer.usage()
    assert late[4] - late[3] == 3 * 86_400 * 10**6
    assert early[4] == early[3]


def test_declared_meters_open_the_way_for_their_usage(importer: Importer, directory: Path) -> None:
    row = {**usage_rows(1)[0], "meter": "pdf.pages"}
    write_ndjson(directory / "usage.ndjson", [row])
    first = importer.run(directory)
    assert first["files"]["usage.ndjson"]["rejected"] == {"unknown_meter": 1}
    assert "meters.json" in importer.rejects(first)[0]["reason"]
    (directory / "meters.json").write_text(json.dumps([{"name": "pdf.pages"}]))
    assert importer.run(directory)["files"]["usage.ndjson"]["accepted"] == 1
    assert importer.run(directory)["files"]["meters.json"]["duplicates"] == 1


def test_chunks_share_one_memory(
    importer: Importer, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_import, "CHUNK_ROWS", 50)
    for part in range(4):
        write_csv(
            directory / f"usage-{part}.csv", usage_rows(60 * (part + 1))[max(0, 60 * part - 10) :]
        )
    shutil.copy(directory / "usage-1.csv", directory / "usage-9.csv")
    report = importer.run(directory)
    assert len(importer.usage()) == 240
    usage = [counts for name, counts in report["files"].items() if name.startswith("usage")]
    assert sum(counts["accepted"] for counts in usage) == 240
    assert sum(counts["read"] for counts in usage) == sum(
        counts["accepted"] + counts["duplicates"] for counts in usage
    )


def test_the_table_for_people_names_files_and_rejects(
    importer: Importer, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from commands.main import run

    write_ndjson(directory / "usage.ndjson", [{**usage_rows(1)[0], "quantity": -1}])
    assert run(["--home", str(importer.home.root), "import", str(directory)]) == 0
    out = capsys.readouterr().out
    for expected in ("usage.ndjson", "bad_quantity", "accepted", "pending", "rejects"):
        assert expected in out


def test_every_kind_of_file_at_once(importer: Importer, directory: Path) -> None:
    write_csv(directory / "usage.csv", usage_rows(10))
    tables: dict[str, Rows] = {
        "subscriptions": [
            {"tenant_id": "ent_0", "time": "2026-01-02T00:00:00Z", "kind": "started"}
        ],
        "decisions": [
            {
                "decision_id": "d1",
                "tenant_id": "ent_0",
                "time": "2026-01-05T00:00:00Z",
                "multiplier": 0.85,
                "propensity": 0.5,
                "offered": '{"0.85": 0.5, "1.0": 0.5}',
            }
        ],
        "interventions": [{"tenant_id": "ent_0", "time": "2026-01-06T00:00:00Z", "kind": "call"}],
        "tickets": [
            {
                "id": "t1",
                "tenant_id": "ent_0",
                "opened_at": "2026-01-06T00:00:00Z",
                "severity": "low",
            }
        ],
        "incidents": [{"id": "i1", "from": "2026-01-06T00:00:00Z", "scope": "all"}],
    }
    for name, rows in tables.items():
        write_ndjson(directory / f"{name}.ndjson", rows)
    economics: dict[str, Any] = {"currency": "USD", "margin": 0.8}
    (directory / "economics.json").write_text(json.dumps(economics))
    report = importer.run(directory)
    assert report["total"]["read"] == report["total"]["accepted"] == 10 + 5 + 1 + 2 + 3
    again = importer.run(directory)
    assert again["total"]["duplicates"] == again["total"]["read"]
