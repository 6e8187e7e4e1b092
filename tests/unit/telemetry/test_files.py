from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flyball.errors import InvalidInput
from telemetry import line_blocks
from telemetry.bad_line import BadLine
from telemetry.files import Row, read_document, read_rows, table_files
from telemetry.line_blocks import read_blocks


def read(path: Path, content: bytes) -> list[Row | BadLine]:
    path.write_bytes(content)
    return list(read_rows(path))


def good(rows: list[Row | BadLine]) -> list[tuple[int, Any]]:
    return [(row.line, dict(row.values)) for row in rows if isinstance(row, Row)]


def bad(rows: list[Row | BadLine]) -> list[tuple[int, str]]:
    return [(row.line, row.code) for row in rows if isinstance(row, BadLine)]


def test_csv_rows_carry_their_line(tmp_path: Path) -> None:
    rows = read(tmp_path / "a.csv", b"\xef\xbb\xbfa,b\r\n1,x\r\n\r\n2,\r\n")
    assert good(rows) == [(2, {"a": "1", "b": "x"}), (4, {"a": "2", "b": ""})]


def test_a_broken_csv_line_costs_only_itself(tmp_path: Path) -> None:
    content = b'a,b\n1,x\n2\n3,"open\n4,"q, ""z"""\n5,\xff\n6,y,z\n7,\x00\n8,ok\n'
    rows = read(tmp_path / "a.csv", content)
    assert [line for line, _ in good(rows)] == [2, 5, 8, 9]
    assert good(rows)[1] == (5, {"a": "4", "b": 'q, "z"'})
    assert bad(rows) == [(3, "bad_line"), (4, "bad_line"), (6, "bad_line"), (7, "bad_line")]


def test_csv_without_quotes_is_read_alike(tmp_path: Path) -> None:
    rows = read(tmp_path / "a.csv", b"a,b\n1,x\n2\n\n3,y,z\n4,w\n")
    assert good(rows) == [(2, {"a": "1", "b": "x"}), (6, {"a": "4", "b": "w"})]
    assert bad(rows) == [(3, "bad_line"), (5, "bad_line")]


@pytest.mark.parametrize("delimiter", [b";", b"\t"])
def test_other_separators_are_recognised(tmp_path: Path, delimiter: bytes) -> None:
    rows = read(tmp_path / "a.csv", b"a,b\n1,2".replace(b",", delimiter))
    assert good(rows) == [(2, {"a": "1", "b": "2"})]


@pytest.mark.parametrize("header", [b"a,a\n", b",b\n", b"\xff\n", b"\n"])
def test_a_header_must_name_columns(tmp_path: Path, header: bytes) -> None:
    with pytest.raises(InvalidInput, match="first line"):
        read(tmp_path / "a.csv", header + b"1,2\n")


def test_ndjson_lines_must_be_objects(tmp_path: Path) -> None:
    rows = read(tmp_path / "a.ndjson", b'{"a": 1}\n\n[1]\n{"a": \n{"a": "\xff"}\n{"a": null}')
    assert good(rows) == [(1, {"a": 1}), (6, {"a": None})]
    assert bad(rows) == [(3, "bad_line"), (4, "bad_line"), (5, "bad_line")]


def test_parquet_rows_are_native(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    table = pa.table({"a": [1, 2], "t": pa.array([moment, None], pa.timestamp("us", "UTC"))})
    pq.write_table(table, tmp_path / "a.parquet")
    rows = list(read_rows(tmp_path / "a.parquet"))
    assert good(rows) == [(1, {"a": 1, "t": moment}), (2, {"a": 2, "t": None})]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\x00" * 50 + b"PAR1"])
def test_a_damaged_parquet_file_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read(tmp_path / "a.parquet", content)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        list(read_rows(tmp_path / "none.csv"))
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_document(tmp_path / "none.json")


def test_documents_must_be_json(tmp_path: Path) -> None:
    path = tmp_path / "plans.json"
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(InvalidInput, match="not valid JSON"):
        read_document(path)


def test_tables_may_be_split(tmp_path: Path) -> None:
    for name in ("accounts.csv", "accounts-2.ndjson", "accounts_3.parquet", "accountsx.csv"):
        (tmp_path / name).touch()
    (tmp_path / "accounts.txt").touch()
    names = [path.name for path in table_files(tmp_path, "accounts")]
    assert names == ["accounts-2.ndjson", "accounts.csv", "accounts_3.parquet"]


def test_a_huge_line_is_skipped_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_blocks, "MAX_LINE_BYTES", 100)
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\n" + b"x" * 10_000 + b"\nthree\n" + b"y" * 10_000)
    blocks = list(read_blocks(path, block_bytes=64))
    assert all(len(block.data) <= 300 for block in blocks)
    lines = [
        (block.first_line + i, line)
        for block in blocks
        for i, line in enumerate(block.data.split(b"\n")[:-1])
    ]
    assert lines == [(1, b"one"), (3, b"three")]
    assert [bad.line for block in blocks for bad in block.too_long] == [2, 4]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 1000])
def test_blocks_hold_every_line_once_whatever_their_size(tmp_path: Path, size: int) -> None:
    lines = [b"a" * n for n in (0, 3, 10, 1, 0, 0, 7, 25)]
    path = tmp_path / "a.txt"
    path.write_bytes(b"\n".join(lines))
    found = b"".join(block.data for block in read_blocks(path, block_bytes=size))
    assert found == b"\n".join(lines) + b"\n"
