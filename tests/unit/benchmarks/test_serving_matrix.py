"""The matrix compares what was measured; its loader counts whole answers and stops at others."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from benchmarks.serving_matrix import Cell, Samples, all_cells, build_loader, rows, table_of

NO_COMPILER = shutil.which("cc") is None and shutil.which("gcc") is None


@contextmanager
def server(path: Path, parts: list[bytes]) -> Iterator[list[bytes]]:
    """Answers one connection after the other, each answer in these parts; gives what was asked."""
    seen: list[bytes] = []
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def run() -> None:
        # The loader leaves in the middle of an answer.
        with listening.accept()[0] as client, suppress(OSError):
            while asked := client.recv(4096):
                seen.append(asked)
                for part in parts:
                    client.sendall(part)

    thread = threading.Thread(target=run)
    thread.start()
    yield seen
    thread.join(5)
    listening.close()


@pytest.mark.skipif(NO_COMPILER, reason="needs a C compiler")
def test_the_loader_counts_whole_answers_of_many_tenants(tmp_path: Path) -> None:
    loader = build_loader(tmp_path)
    answer = [b"HTTP/1.1 200 OK\r\nContent-", b"Length: 5\r\n\r\n12", b"345"]
    with server(tmp_path / "s.sock", answer) as seen:
        argv = [str(loader), str(tmp_path / "s.sock"), "1", "0.2", "1000"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    answers, seconds, p50_us, p99_us = map(float, done.stdout.split())
    assert answers == len(seen) - 1  # the last was under way
    assert 0 < p50_us <= p99_us < seconds * 1e6
    assert len(set(seen)) > 1
    assert seen[0].startswith(b"GET /v1/decisions/ent_")


@pytest.mark.skipif(NO_COMPILER, reason="needs a C compiler")
def test_the_loader_takes_no_other_answer_for_one(tmp_path: Path) -> None:
    loader = build_loader(tmp_path)
    with server(tmp_path / "s.sock", [b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"]):
        argv = [str(loader), str(tmp_path / "s.sock"), "1", "0.2", "1000"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "other than 200" in done.stderr


def samples(rate: float, cpu_us: float) -> Samples:
    return Samples(rate=[rate], p50_us=[10.0], p99_us=[20.0], cpu_us=[cpu_us])


def test_goals_are_judged_in_the_cell_that_they_are_stated_for_only() -> None:
    found = {"ours": samples(10, 40.0), "null": samples(10, 40.0), "nginx": samples(40, 10.0)}
    judged = [row for row in rows(Cell(1, "tcp", 32), found) if row["met"] is not None]
    assert {row["name"]: row["met"] for row in judged} == {
        "1w tcp c32: rate against null": True,
        "1w tcp c32: p50 against null": True,
        "1w tcp c32: cpu against null": True,
        "1w tcp c32: cpu against nginx": False,
    }
    for cell in all_cells():
        if cell != Cell(1, "tcp", 32):
            assert {row["met"] for row in rows(cell, found)} == {None}


def test_the_table_has_everybody_and_what_they_cost_beside_the_floor() -> None:
    found = {"ours": samples(10, 30.0), "nginx": samples(40, 10.0)}
    table = table_of(Cell(2, "unix", 1), found)
    assert "2w unix c1" in table
    assert [text.split()[-1] for text in table.splitlines()[1:]] == ["3.00", "1.00"]


def test_every_combination_is_a_cell() -> None:
    assert len(set(all_cells())) == 8
