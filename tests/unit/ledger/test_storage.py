"""The SQLite file: durable, shared by processes, and clear about what is wrong with it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import apsw
import msgspec
import pytest

from flyball.errors import NotFound, ReadOnlyHome, StorageError, StorageFull
from flyball.home import Home
from ledger.people import Role
from ledger.schema import APPEND_ONLY, SCHEMA_VERSION
from ledger.sqlite_connection import SqliteFile
from ledger.sqlite_ledger import SqliteLedger, open_ledger, read_ledger

NOW = 1_767_571_200_000_000


def setting(ledger: SqliteLedger, number: int) -> None:
    ledger.put_setting("policy", {"number": number}, author="ann", now_us=NOW)


def test_commits_are_made_durable_before_they_are_acknowledged(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "l.sqlite")
    with file.reading() as connection:
        assert connection.pragma("journal_mode") == "wal"
        assert connection.pragma("synchronous") == 2
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= (3, 51, 3)
    file.close()


def test_history_cannot_be_rewritten(tmp_path: Path) -> None:
    with SqliteLedger(tmp_path / "l.sqlite") as ledger:
        setting(ledger, 1)
        for table in APPEND_ONLY:
            with ledger.file.writing() as connection:
                count = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
                if count:
                    with pytest.raises(apsw.ConstraintError, match="append-only"):
                        connection.execute(f"DELETE FROM {table}")
                    with pytest.raises(apsw.ConstraintError, match="append-only"):
                        connection.execute(f"UPDATE {table} SET seq = seq + 1")


def test_several_processes_may_make_the_ledger_at_once(tmp_path: Path) -> None:
    program = """
        import sys, pathlib
        from ledger.sqlite_ledger import SqliteLedger
        with SqliteLedger(pathlib.Path(sys.argv[1])) as ledger:
            for i in range(20):
                ledger.put_setting(f"s{sys.argv[2]}_{i}", i, author="a", now_us=1)
    """
    path = tmp_path / "l.sqlite"
    runs = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(program), str(path), str(n)])
        for n in range(3)
    ]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    with SqliteLedger(path) as ledger:
        assert ledger.file.rows("SELECT count(*) FROM setting") == [(60,)]


def test_what_was_acknowledged_survives_being_killed(tmp_path: Path) -> None:
    program = """
        import sys, pathlib
        from ledger.sqlite_ledger import SqliteLedger
        ledger = SqliteLedger(pathlib.Path(sys.argv[1]))
        for i in range(100_000):
            ledger.put_setting("s", i, author="a", now_us=1)
            print(i, flush=True)
    """
    path = tmp_path / "l.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), str(path)], stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        acknowledged = [run.stdout.readline() for _ in range(25)][-1]
        run.send_signal(signal.SIGKILL)
        acknowledged = (run.stdout.read().splitlines() or [acknowledged])[-1]
    with SqliteLedger(path) as ledger:
        found = ledger.setting("s")
    assert found is not None
    assert isinstance(found.content, int)
    assert found.content >= int(acknowledged)


def test_threads_use_connections_of_their_own(tmp_path: Path) -> None:
    errors: list[BaseException] = []
    with SqliteLedger(tmp_path / "l.sqlite") as ledger:

        def work(number: int) -> None:
            try:
                for i in range(20):
                    ledger.put_setting(f"s{number}", i, author="a", now_us=NOW)
                    assert ledger.setting(f"s{number}") is not None
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []


def test_a_full_disk_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with SqliteLedger(tmp_path / "l.sqlite") as ledger:
        setting(ledger, 1)
        with ledger.file.reading() as connection:
            connection.pragma("max_page_count", connection.pragma("page_count"))
        with pytest.raises(StorageFull, match="space"):
            ledger.put_setting("policy", "x" * 1_000_000, author="ann", now_us=NOW)
        with ledger.file.reading() as connection:
            connection.pragma("max_page_count", 1_000_000)
        setting(ledger, 2)
        assert [v.content for v in ledger.setting_versions("policy")] == [
            {"number": 1},
            {"number": 2},
        ]


def test_a_size_limit_is_a_storage_error_and_loses_nothing(tmp_path: Path) -> None:
    program = """
        import resource, sys, pathlib
        from flyball.errors import StorageError
        from ledger.sqlite_ledger import SqliteLedger
        ledger = SqliteLedger(pathlib.Path(sys.argv[1]))
        ledger.put_setting("policy", 1, author="a", now_us=1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        try:
            ledger.put_setting("policy", "x" * 1_000_000, author="a", now_us=1)
        except StorageError as error:
            print(type(error).__name__, error.hint)
    """
    path = tmp_path / "l.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "Storage" in done.stdout
    with SqliteLedger(path) as ledger:
        assert [v.content for v in ledger.setting_versions("policy")] == [1]


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with SqliteLedger(tmp_path / "l.sqlite") as ledger:
        with ledger.file.reading() as connection:
            connection.pragma("query_only", True)
        with pytest.raises(ReadOnlyHome, match="written"):
            setting(ledger, 1)


def test_a_read_only_ledger_reads_and_does_not_write(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with open_ledger(home) as ledger:
        setting(ledger, 1)
    with read_ledger(home) as ledger:
        assert ledger.setting("policy") is not None
        with pytest.raises(ReadOnlyHome):
            setting(ledger, 2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_can_still_be_read(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with open_ledger(home) as ledger:
        setting(ledger, 1)
    home.root.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with read_ledger(home) as ledger:
            assert ledger.setting("policy") is not None
    finally:
        home.root.chmod(stat.S_IRWXU)


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(ReadOnlyHome, match="home"):
        open_ledger(Home(tmp_path / "home"))


def test_a_missing_ledger_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="import"):
        read_ledger(Home(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_ledger_says_so(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database" * 1000)
    for opening in (open_ledger, read_ledger):
        with pytest.raises(StorageError, match="damaged"):
            opening(Home(tmp_path))


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with open_ledger(home) as ledger, ledger.file.reading() as connection:
        connection.pragma("user_version", SCHEMA_VERSION + 1)
    for opening in (open_ledger, read_ledger):
        with pytest.raises(StorageError, match="newer"):
            opening(home)


def test_a_held_lock_ends_in_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    holder, waiter = SqliteLedger(path), SqliteLedger(path, busy_timeout_ms=50)
    with holder.file.writing():
        started = time.monotonic()
        with pytest.raises(StorageError, match="another process"):
            setting(waiter, 1)
        assert time.monotonic() - started < 5
    setting(waiter, 2)
    holder.close()
    waiter.close()


def test_the_data_path_learns_of_tokens_from_a_private_file(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with open_ledger(home) as ledger:
        text, token = ledger.create_token("edge", Role.GATEWAY, author="ann", now_us=NOW)
        entries = msgspec.json.decode(home.tokens.read_bytes())
        assert [(e["name"], e["role"], len(e["digest"])) for e in entries] == [
            ("edge", "gateway", 64)
        ]
        assert stat.S_IMODE(home.tokens.stat().st_mode) == 0o600
        ledger.revoke_token(token.token_id, author="ann", now_us=NOW)
        assert msgspec.json.decode(home.tokens.read_bytes()) == []
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert text.encode() not in kept
