"""Files that cannot be imported: a clear error, exit code 2, and never a stack trace."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.robustness.process import Typed

GARBAGE = random.Random(7).randbytes(100_000)
TABLES = ("usage", "accounts", "subscriptions", "tickets", "decisions")


def nothing(_: Path) -> None:
    """An empty directory."""


def empty_files(directory: Path) -> None:
    for name in ("plans.json", "economics.json", "meters.json", "accounts.csv", "usage.ndjson"):
        (directory / name).touch()
    (directory / "tickets.parquet").touch()


def garbage(suffix: str) -> Callable[[Path], None]:
    def write(directory: Path) -> None:
        for name in TABLES:
            (directory / f"{name}{suffix}").write_bytes(GARBAGE)
        for name in ("plans.json", "economics.json", "meters.json"):
            (directory / name).write_bytes(GARBAGE)

    return write


def one_long_line(directory: Path) -> None:
    text = "x" * 10_000_000
    (directory / "usage.ndjson").write_text('{"id":"' + text + '"}\n')
    (directory / "accounts.csv").write_text(f"tenant_id,plan,created_at\n{text}")
    (directory / "usage.csv").write_text(text)


def deep_nesting(directory: Path) -> None:
    for name in ("plans.json", "economics.json", "meters.json", "accounts.ndjson", "usage.ndjson"):
        (directory / name).write_text("[" * 100_000)


def wrong_documents(directory: Path) -> None:
    (directory / "plans.json").write_text('{"plans": {"a": NaN}}')
    (directory / "economics.json").write_text("17")
    (directory / "meters.json").write_text('[1, null, {}, {"name": "../x"}]')


def directories_named_like_files(directory: Path) -> None:
    for name in ("plans.json", "accounts.csv", "usage.parquet"):
        (directory / name).mkdir()


def hidden_archive(directory: Path) -> None:
    shutil.make_archive(str(directory / "usage"), "zip", directory)


@pytest.mark.parametrize(
    "write",
    [
        nothing,
        empty_files,
        garbage(".parquet"),
        garbage(".csv"),
        garbage(".ndjson"),
        one_long_line,
        deep_nesting,
        wrong_documents,
        directories_named_like_files,
        hidden_archive,
    ],
    ids=lambda write: write.__qualname__.partition(".")[0],
)
def test_a_directory_without_one_usable_row(
    typed: Typed, tmp_path: Path, write: Callable[[Path], None]
) -> None:
    directory = tmp_path / "in"
    directory.mkdir()
    write(directory)
    ended = typed(tmp_path / "home", "import", str(directory))
    assert ended.code == 2, ended.err
    assert str(directory) in ended.err
    assert ended.calm


def test_a_place_that_is_no_directory(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_text("x")
    for name in ("file.csv", "nothing"):
        ended = typed(tmp_path / "home", "import", str(tmp_path / name))
        assert ended.code == 2
        assert "is not a directory" in ended.err
        assert ended.calm
    assert not (tmp_path / "home").exists()


def test_garbage_beside_good_files_costs_nothing_good(
    typed: Typed, tmp_path: Path, delivery: Path
) -> None:
    directory = tmp_path / "in"
    shutil.copytree(delivery, directory)
    for name in ("usage-bad.parquet", "usage-bad.ndjson", "accounts-bad.csv", "tickets-bad.ndjson"):
        (directory / name).write_bytes(GARBAGE)
    ended = typed(tmp_path / "home", "import", str(directory))
    assert ended.code == 0, ended.err
    assert ended.calm
    assert "unreadable" in ended.out or "rejects" in ended.out
