"""What a killed service left is removed by the next one; what a running one uses is not."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serving.metrics_directory import metrics_directory

HOLD = """
import sys, time
from pathlib import Path
from serving.metrics_directory import metrics_directory
with metrics_directory(Path(sys.argv[1])) as made:
    (made / "counter.db").write_bytes(b"1")
    print("made", flush=True)
    time.sleep(60)
"""


def test_it_is_there_while_it_is_used_and_gone_afterwards(tmp_path: Path) -> None:
    with metrics_directory(tmp_path) as made:
        (made / "counter.db").write_bytes(b"1")
        assert made.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.iterdir())


def test_it_is_gone_after_a_failure_too(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no port"), metrics_directory(tmp_path):
        raise OSError("no port")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_service_left_is_removed_and_what_a_running_one_has_is_not(
    tmp_path: Path,
) -> None:
    other = tmp_path / "somebody-elses"
    other.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"made\n"
        with metrics_directory(tmp_path) as made:
            assert len(list(tmp_path.glob("*/counter.db"))) == 1
        assert not made.exists()
        process.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.glob("*/counter.db"))) == 1
    with metrics_directory(tmp_path) as made:
        assert sorted(tmp_path.iterdir()) == sorted((made, other))


def test_what_only_looks_like_a_directory_of_metrics_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "flyball-metrics-link").symlink_to(target)
    (tmp_path / "flyball-metrics-file").touch()
    with metrics_directory(tmp_path):
        assert target.exists()
    assert len(list(tmp_path.iterdir())) == 3
