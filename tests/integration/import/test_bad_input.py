"""One bad row never costs a good one; what is refused is named by file, line and reason."""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .conftest import ACCOUNTS, Importer, usage_rows, write_csv, write_ndjson

GOOD = usage_rows(1)[0]
AHEAD = (datetime.now(UTC) + timedelta(hours=3)).isoformat(timespec="seconds")

BAD: list[tuple[dict[str, Any], str]] = [
    ({"id": ""}, "bad_identifier"),
    ({"id": "../../etc/passwd"}, "bad_identifier"),
    ({"id": "a\u202eb"}, "bad_identifier"),
    ({"id": "x" * 129}, "bad_identifier"),
    ({"tenant_id": "a b"}, "bad_identifier"),
    ({"tenant_id": "nul\u0000"}, "bad_identifier"),
    ({"source": "a b"}, "bad_identifier"),
    ({"time": "2026-01-05T00:00:00"}, "bad_time"),
    ({"time": "05/01/2026"}, "bad_time"),
    ({"time": "1767571200"}, "bad_time"),
    ({"time": "2026-02-30T00:00:00Z"}, "bad_time"),
    ({"time": "0001-01-01T00:00:00Z"}, "bad_time"),
    ({"time": AHEAD}, "future_time"),
    ({"time": "2025-12-31T23:59:59Z"}, "before_account"),
    ({"ingested_at": "soon"}, "bad_time"),
    ({"quantity": -1}, "bad_quantity"),
    ({"quantity": "NaN"}, "bad_quantity"),
    ({"quantity": "Infinity"}, "bad_quantity"),
    ({"quantity": "1e400"}, "bad_quantity"),
    ({"quantity": 1e16}, "bad_quantity"),
    ({"quantity": ""}, "bad_quantity"),
    ({"quantity": "1_000"}, "bad_quantity"),
    ({"meter": "pdf.pages"}, "unknown_meter"),
    ({"meter": ""}, "unknown_meter"),
    ({"endpoint": "x" * 257}, "bad_endpoint"),
    ({"endpoint": "/a\u202e"}, "bad_endpoint"),
]


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet"])
def test_each_bad_row_is_named_and_the_rest_goes_in(
    importer: Importer, directory: Path, suffix: str
) -> None:
    good = usage_rows(len(BAD) + 1)
    template = {**good[0], "source": "gw", "endpoint": "/v1", "ingested_at": ""}
    rows = [{**template, "id": "ok-first"}]
    for number, (change, _) in enumerate(BAD):
        rows += [{**template, "id": f"bad{number}", **change}, {**template, "id": f"ok{number}"}]
    path = directory / f"usage.{suffix}"
    if suffix == "csv":
        write_csv(path, rows)
    elif suffix == "ndjson":
        write_ndjson(path, rows)
    else:
        pq.write_table(
            pa.Table.from_pylist([{k: str(v) for k, v in r.items()} for r in rows]), path
        )
    report = importer.run(directory)
    counts = report["files"][path.name]
    assert counts["accepted"] == len(BAD) + 1
    assert counts["read"] == len(rows)
    rejects = sorted(importer.rejects(report), key=lambda entry: entry["line"])
    first = 3 if suffix == "csv" else 2  # a header takes a line
    found = {(entry["line"], entry["code"]) for entry in rejects}
    assert found == {(first + 2 * n, code) for n, (_, code) in enumerate(BAD)}
    assert all(entry["file"] == path.name and entry["reason"] for entry in rejects)
    assert sum(counts["rejected"].values()) == len(BAD)
    again = importer.run(directory)["files"][path.name]
    assert (again["accepted"], again["duplicates"]) == (0, len(BAD) + 1)


def test_broken_csv_lines(importer: Importer, directory: Path) -> None:
    lines = [
        b"id,tenant_id,time,meter,quantity",
        b"a1,ent_0,2026-01-05T00:00:00Z,exports,1",
        b"a2,ent_0,2026-01-05T00:00:00Z,exports",
        b'a3,"ent_0,2026-01-05T00:00:00Z,exports,1',
        b"a4,ent_0,2026-01-05T00:00:00Z,exports,1,extra",
        b"",
        b"a5,\xff\xfe,2026-01-05T00:00:00Z,exports,1",
        b'"a6",ent_0,2026-01-05T00:00:00Z,"exports",2',
        b"a7,ent_0,2026-01-05T00:00:00Z,exports,3\rx",
        b"a8,ent_0,2026-01-05T00:00:00Z,exports,4",
    ]
    (directory / "usage.csv").write_bytes(b"\n".join(lines))
    report = importer.run(directory)
    assert report["files"]["usage.csv"]["accepted"] == 3
    assert [entry["line"] for entry in importer.rejects(report)] == [3, 4, 5, 7, 9]


def test_broken_ndjson_lines(importer: Importer, directory: Path) -> None:
    lines = [
        json.dumps(GOOD).encode(),
        b"{",
        b"[1, 2]",
        b'"text"',
        b"null",
        json.dumps({**GOOD, "id": "b1", "quantity": None}).encode(),
        json.dumps({**GOOD, "id": "b2", "quantity": True}).encode(),
        json.dumps({**GOOD, "id": "b3", "time": 1767571200}).encode(),
        json.dumps({**GOOD, "id": ["b4"]}).encode(),
        json.dumps({k: v for k, v in GOOD.items() if k != "meter"}).encode(),
        b'{"id": "\\ud800", '
        + json.dumps({**GOOD}).encode()[1:].replace(b'"id": "u000000", ', b""),
        b"\xff\xfe",
        b"{" * 5_000,
        json.dumps({**GOOD, "id": 17}).encode(),
    ]
    (directory / "usage.ndjson").write_bytes(b"\n".join(lines))
    report = importer.run(directory)
    counts = report["files"]["usage.ndjson"]
    assert counts["accepted"] == 2
    assert counts["rejected"]["bad_quantity"] == 2
    assert counts["rejected"]["missing_field"] == 1
    assert sum(counts["rejected"].values()) == len(lines) - 2


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("usage.csv", b"", "empty_file"),
        ("usage.ndjson", b"", "empty_file"),
        ("usage.parquet", b"", "unreadable"),
        ("usage.parquet", b"PAR1 nothing at all PAR1", "unreadable"),
        ("usage.csv", b"id,time\n1,2\n", "missing_column"),
        ("usage.csv", b"\xff\xfe\n", "bad_header"),
        ("usage.csv", b"id,id,tenant_id,time,meter,quantity\n", "bad_header"),
        ("usage.csv", b"x" * 3_000_000, "unreadable"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_costs_no_other(
    importer: Importer, directory: Path, name: str, content: bytes, code: str
) -> None:
    (directory / name).write_bytes(content)
    write_ndjson(directory / "usage-good.jsonl", usage_rows(5))
    report = importer.run(directory)
    assert report["files"]["usage-good.jsonl"]["accepted"] == 5
    assert report["files"][name]["rejected"] == {code: 1}
    (reject,) = importer.rejects(report)
    assert (reject["file"], reject["line"], reject["code"]) == (name, 0, code)


def test_parquet_with_wrong_types(importer: Importer, directory: Path) -> None:
    moment = datetime(2026, 1, 5)  # noqa: DTZ001 - without a zone on purpose
    base = {name: [value] for name, value in GOOD.items()}
    wrong: dict[str, tuple[dict[str, Any], str]] = {
        "naive": ({"time": pa.array([moment], pa.timestamp("us"))}, "bad_time"),
        "epoch": ({"time": [1_767_571_200]}, "bad_time"),
        "flag": ({"quantity": [True]}, "bad_quantity"),
        "list": ({"id": [["x"]]}, "bad_identifier"),
        "float-id": ({"id": [1.5]}, "bad_identifier"),
        "null": ({"id": pa.array([None], pa.string())}, "bad_identifier"),
        "binary": ({"tenant_id": [b"ent_0"]}, "bad_identifier"),
    }
    for name, (change, _) in wrong.items():
        pq.write_table(pa.table({**base, **change}), directory / f"usage-{name}.parquet")
    report = importer.run(directory)
    for name, (_, code) in wrong.items():
        assert report["files"][f"usage-{name}.parquet"]["rejected"] == {code: 1}, name
    reasons = {entry["file"]: entry["reason"] for entry in importer.rejects(report)}
    assert "no time zone" in reasons["usage-naive.parquet"]
    assert importer.usage() == []


def test_damaged_parquet_never_stops_the_import(importer: Importer, directory: Path) -> None:
    path = directory / "usage.parquet"
    rows = usage_rows(3_000)
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=500, compression="zstd")
    whole = path.read_bytes()
    chance = random.Random(7)
    for number in range(12):
        damaged = bytearray(whole)
        for _ in range(1 + number):
            damaged[chance.randrange(4, len(whole))] ^= 1 << chance.randrange(8)
        (directory / f"usage-{number:02d}.parquet").write_bytes(bytes(damaged))
    (directory / "usage-99.parquet").write_bytes(whole[: len(whole) // 2])
    report = importer.run(directory)
    assert report["files"]["usage-99.parquet"]["rejected"] == {"unreadable": 1}
    true = {(row["id"], row["tenant_id"]) for row in rows}
    held = {(row[2], row[0]) for row in importer.usage()}
    assert true <= held  # the undamaged file is in, whatever the others did
    for counts in report["files"].values():
        kinds = ("accepted", "duplicates", "conflicts", "pending")
        assert counts["read"] == sum(counts[k] for k in kinds) + sum(counts["rejected"].values())


def test_a_damaged_row_group_costs_only_itself(importer: Importer, directory: Path) -> None:
    path = directory / "usage.parquet"
    pq.write_table(
        pa.Table.from_pylist(usage_rows(3_000)), path, row_group_size=1_000, compression="zstd"
    )
    column = pq.read_metadata(path).row_group(1).column(0)
    content = bytearray(path.read_bytes())
    start = column.data_page_offset
    content[start : start + column.total_compressed_size // 2] = b"\xff" * (
        column.total_compressed_size // 2
    )
    path.write_bytes(bytes(content))
    counts = importer.run(directory)["files"]["usage.parquet"]
    assert counts["accepted"] == 2_000
    assert counts["rejected"] == {"unreadable": 1_000}


def test_a_huge_field_costs_only_its_line(importer: Importer, directory: Path) -> None:
    rows = usage_rows(3)
    rows[1]["id"] = "x" * 3_000_000
    write_csv(directory / "usage.csv", rows)
    write_ndjson(directory / "usage.ndjson", rows)
    report = importer.run(directory)
    for name in ("usage.csv", "usage.ndjson"):
        assert sum(report["files"][name]["rejected"].values()) == 1
    shown = Path(report["rejects"]).read_text()
    assert len(shown) < 10_000
    assert len(importer.usage()) == 2


def test_an_empty_or_missing_directory_is_an_error(importer: Importer, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    importer.run(tmp_path / "empty", code=2)
    assert "holds no file of an import" in importer.errors
    importer.run(tmp_path / "nowhere", code=2)
    assert "is not a directory" in importer.errors
    assert not importer.home.root.exists()


def test_nothing_usable_is_an_error(importer: Importer, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "plans.json").write_text("{")
    write_ndjson(bad / "accounts.ndjson", [{"tenant_id": "a b"}])
    report = importer.run(bad, code=2)
    assert report["files"]["plans.json"]["rejected"] == {"bad_json": 1}
    assert "could be used" in importer.errors


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plans.json", '{"plans": 7}'),
        ("plans.json", '[{"plan": "p"}, 7]'),
        ("meters.json", '[{"name": "Bad Name"}, 7, {"name": "x", "counts": "?"}]'),
        ("economics.json", '{"margin": 7}'),
        ("economics.json", "[]"),
    ],
)
def test_bad_documents_are_named(
    importer: Importer, directory: Path, name: str, content: str
) -> None:
    (directory / name).write_text(content)
    # Without plans there is no account either, and then nothing of use at all.
    report = importer.run(directory, code=2 if name == "plans.json" else 0)
    assert report["files"][name]["accepted"] == 0
    assert importer.rejects(report)
    assert {entry["file"] for entry in importer.rejects(report)} >= {name}


def test_bad_rows_of_small_tables_are_named(importer: Importer, directory: Path) -> None:
    rows: list[dict[str, Any]] = [
        *ACCOUNTS,
        {**ACCOUNTS[0], "tenant_id": "../x"},
        {**ACCOUNTS[0], "tenant_id": "e9", "created_at": "2026-01-01"},
        {**ACCOUNTS[0], "tenant_id": "e8", "seats": "many"},
    ]
    write_ndjson(directory / "accounts.ndjson", rows)
    report = importer.run(directory)
    assert report["files"]["accounts.ndjson"]["accepted"] == 3
    assert [entry["line"] for entry in importer.rejects(report)] == [4, 5, 6]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_an_unreadable_file_is_named(importer: Importer, directory: Path) -> None:
    write_csv(directory / "usage.csv", usage_rows(1))
    (directory / "usage.csv").chmod(0)
    report = importer.run(directory)
    assert report["files"]["usage.csv"]["rejected"] == {"unreadable": 1}
