"""The sidecar as a process, beside a real `flyball serve`, a real HAProxy, and on its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.node.server import Server, free_port
from tests.integration.robustness.process import environment, flyball
from tests.integration.service.running import entry


class Files:
    """A reader as the reference describes it: loads, then tails by offset."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._generation = ""
        self._offset = 0
        self.loads = 0
        self.lines: dict[str, list[str]] = {}

    def read(self) -> dict[str, list[str]]:
        try:
            with (self._folder / "changes.tsv").open("rb") as file:
                head = file.readline().decode()
        except FileNotFoundError:
            return self.lines
        generation = head.rstrip("\n").split("\t")[2]
        if generation != self._generation:
            whole = (self._folder / "decisions.tsv").read_text().splitlines()
            if whole[0].split("\t")[2] != generation:
                return self.lines
            self.lines = {}
            self._take(whole[1:])
            self._generation, self._offset = generation, len(head.encode())
            self.loads += 1
        with (self._folder / "changes.tsv").open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        new = new[: new.rfind(b"\n") + 1]
        self._offset += len(new)
        self._take(new.decode().splitlines())
        return self.lines

    def _take(self, lines: list[str]) -> None:
        for line in lines:
            columns = line.split("\t")
            if columns[0].startswith("#"):
                continue
            if columns[1:] == ["-"]:
                self.lines.pop(columns[0], None)
            else:
                self.lines[columns[0]] = columns[1:]

    def limit(self, name: str) -> int | None:
        columns = self.read().get(name)
        return None if columns is None else int(columns[6])

    @property
    def state(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self._folder / "state.json").read_text())
        return read


def wait_for(true: Callable[[], object], seconds: float = 20.0) -> float:
    began = time.monotonic()
    while True:
        try:
            if true():
                return time.monotonic() - began
        except (FileNotFoundError, httpx2.HTTPError):
            pass
        assert time.monotonic() - began < seconds
        time.sleep(0.02)


@contextmanager
def sidecar(server: Server, folder: Path, *more: str) -> Iterator[Files]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "commands", "sidecar", "--from", server.url),
            *("--key", str(server.key), "--into", str(folder), *more),
        ],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Files(folder)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_change_is_in_the_files_within_a_second(server: Server, tmp_path: Path) -> None:
    with sidecar(server, tmp_path) as files:
        wait_for(lambda: files.limit("ent_1") == 100)
        server.publish(entry("ent_1", 85, base=100))
        assert wait_for(lambda: files.limit("ent_1") == 85) < 1.0
        assert files.lines["ent_1"][:2] == ["ent_1", "1"]
        assert files.limit("ent_2") == 100
        # The state is written after the lines that it speaks of.
        wait_for(lambda: files.state["version"] == str(server.writer.version))
        assert files.state["state"] == "fresh"


def test_the_service_dies_the_sidecar_dies_and_both_return(server: Server, tmp_path: Path) -> None:
    with sidecar(server, tmp_path) as files:
        wait_for(lambda: files.limit("ent_1") == 100 and files.state)
        generation = files.state["generation"]
    server.kill()
    server.publish(entry("ent_1", 70, base=100))
    assert files.limit("ent_1") == 100
    with sidecar(server, tmp_path) as files:
        wait_for(lambda: files.state["generation"] > generation)
        assert files.limit("ent_1") == 100
        assert files.state["state"] == "fresh"
        server.start()
        wait_for(lambda: files.limit("ent_1") == 70)


def test_the_kill_file_opens_and_the_lines_stay(server: Server, tmp_path: Path) -> None:
    with sidecar(server, tmp_path) as files:
        wait_for(lambda: files.limit("ent_1") == 100)
        (tmp_path / "kill").touch()
        wait_for(lambda: files.state["state"] == "open")
        assert files.state["why"] == "kill_file"
        assert 'flyball_node_state{state="open"} 1.0' in (tmp_path / "flyball.prom").read_text()
        assert files.limit("ent_1") == 100
        (tmp_path / "kill").unlink()
        wait_for(lambda: files.state["state"] == "fresh")


def test_names_get_lines_of_their_own(server: Server, tmp_path: Path) -> None:
    server.publish_all(
        entry("ent_1", 85, base=100), entry("ent_2", 100), aliases={"key-a": "ent_1"}
    )
    names = tmp_path / "names"
    names.write_text("key-a\nkey-unknown\n")
    with sidecar(server, tmp_path / "into", "--names", str(names)) as files:
        wait_for(lambda: files.limit("key-a") == 85)
        assert files.lines["key-a"][0] == "ent_1"
        assert "key-unknown" not in files.lines
        server.publish(entry("ent_1", 70, base=100))
        wait_for(lambda: files.limit("key-a") == 70)


def test_once_writes_and_says_how_it_went(server: Server, tmp_path: Path) -> None:
    words = ("sidecar", "--once", "--from", server.url, "--into", str(tmp_path / "into"))
    done = flyball(tmp_path / "home", *words, "--key", str(server.key))
    assert (done.code, done.out) == (0, f"fresh {server.writer.version}\n")
    other = Server(tmp_path / "other")
    refused = flyball(tmp_path / "home", *words[:-1], str(tmp_path / "b"), "--key", str(other.key))
    assert refused.code == 1
    assert refused.calm
    assert "signed" in refused.err
    assert refused.out == "open none\n"


def test_wrong_options_say_what_to_do(server: Server, tmp_path: Path) -> None:
    base = ("sidecar", "--once", "--key", str(server.key), "--into", str(tmp_path / "into"))
    for words, says in (
        ((*base, "--from", "flyball:8080"), "https://flyball"),
        ((*base, "--from", server.url, "--socket", "/x"), "--format haproxy"),
        ((*base, "--from", server.url, "--token-file", "/none"), "token"),
        ((*base[:-1], "/proc/none", "--from", server.url), "--into"),
    ):
        done = flyball(tmp_path / "home", *words)
        assert done.code in (2, 4), done
        assert says in done.err
        assert done.calm


CONFIGURATION = """
global
  stats socket {folder}/admin.sock mode 600 level admin
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend api
  bind 127.0.0.1:{port}
  http-request return status 200 content-type text/plain lf-string {format}
"""


@contextmanager
def haproxy(folder: Path, port: int) -> Iterator[None]:
    binary = shutil.which("haproxy")
    if binary is None:
        pytest.skip("haproxy is not installed (Debian: haproxy)")
    shown = " ".join(
        f"%[str({key}),map({folder}/{name}.map,none)]"
        for name, key in (("limit", "ent_1"), ("tenant", "ent_2"), ("state", "state"))
    )
    path = folder / "haproxy.cfg"
    path.write_text(CONFIGURATION.format(folder=folder, port=port, format=f'"{shown}"'))
    process = subprocess.Popen([binary, "-db", "-f", str(path)], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


def test_haproxy_follows_without_a_reload_and_after_a_restart(
    server: Server, tmp_path: Path
) -> None:
    server.publish_all(entry("ent_1", 100, base=100))
    port = free_port()

    def shown() -> str:
        return httpx2.get(f"http://127.0.0.1:{port}/", timeout=5).text

    options = ("--format", "haproxy", "--socket", str(tmp_path / "admin.sock"))
    with sidecar(server, tmp_path, *options):
        wait_for((tmp_path / "state.map").exists)
        with haproxy(tmp_path, port):
            wait_for(lambda: shown() == "100 none fresh")
            server.publish(entry("ent_1", 85, base=100))
            assert wait_for(lambda: shown() == "85 none fresh") < 2.0
            server.publish(entry("ent_2", 85, base=100))  # new to HAProxy
            wait_for(lambda: shown() == "85 ent_2 fresh")
            (tmp_path / "kill").touch()
            wait_for(lambda: shown() == "85 ent_2 open")
            (tmp_path / "kill").unlink()
        with haproxy(tmp_path, port):
            server.publish(entry("ent_1", 70, base=100))
            wait_for(lambda: shown() == "70 ent_2 fresh")


def test_two_files_are_never_out_of_step(server: Server, tmp_path: Path) -> None:
    """Bases and changes in quick turn: a reader never sees a limit that was not decided."""
    with sidecar(server, tmp_path) as files:
        wait_for(lambda: files.limit("ent_1") == 100)
        for number in range(30):
            base = 1000 + number
            if number % 5 == 0:
                server.publish_all(entry("ent_1", 100, base=base), entry("ent_2", 100, base=base))
            else:
                server.publish(entry("ent_1", 100, base=base), entry("ent_2", 100, base=base))
            both = files.read()
            assert both["ent_1"][6] == both["ent_2"][6]
            time.sleep(0.03)
        wait_for(lambda: files.limit("ent_1") == 1029)
        assert os.listdir(tmp_path)
