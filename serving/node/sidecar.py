"""The sidecar's loop: look for what is new, write it down, say what it is worth."""

from __future__ import annotations

from pathlib import Path

import structlog
from prometheus_client import generate_latest

from flyball.decision import Source
from flyball.errors import InvalidInput, StorageError
from flyball.instant import SECOND_US
from serving.node.decision_files import DecisionFiles
from serving.node.haproxy_maps import HaproxyMaps
from serving.node.lines import is_writable
from serving.node.metrics import NodeMetrics
from serving.node.node import Node
from serving.node.standing import Standing, State
from serving.node.whole_file import replace_file
from serving.snapshot.version import Version

#: How often it looks for something new.
LOOK_SECONDS = 0.1
#: How often the state is written when nothing changes.
STATE_EVERY_US = SECOND_US
#: How often HAProxy's files are written at most, and its memory checked at least.
MAPS_EVERY_US = 5 * SECOND_US


class Sidecar:
    """Writes what a node knows into files.

    Parameters
    ----------
    node:
        The local copy; somebody else keeps it up to date.
    into:
        Directory of the files.
    names:
        File with further names, or None; read again at every change of it.
    maps:
        HAProxy's maps, or None.
    """

    def __init__(
        self, node: Node, into: Path, *, names: Path | None, maps: HaproxyMaps | None
    ) -> None:
        self._node = node
        self._names_file = names
        self._names_seen: tuple[int, int] | None = None
        self._names: list[str] = []
        self._maps = maps
        self._metrics = NodeMetrics()
        self._metrics_file = into / "flyball.prom"
        self._files = DecisionFiles(into, node.reader, lambda: self._names)
        self._written: Version | None = None
        self._lines_from: Source | None = None
        self._state_written_us = -STATE_EVERY_US
        self._state: tuple[State, str, Version | None] | None = None
        self._maps_looked_us = -MAPS_EVERY_US
        self._maps_done = False
        self._log = structlog.get_logger("serving.node")
        self._complaint = ""

    @property
    def behind(self) -> bool:
        """Whether the last look could not write what it should have."""
        return bool(self._complaint)

    def step(self, now_us: int) -> Standing:
        """One look; never raises for a full disk or a gateway that is away: the next look tries."""
        self._node.refresh(now_us)
        standing = self._node.standing(now_us)
        try:
            self._write_lines(now_us)
            self._write_state(standing, now_us)
            self._write_maps(standing, now_us)
            self._complaint = ""
        except StorageError as error:
            if str(error) != self._complaint:
                self._log.error("files_behind", error=str(error))
            self._complaint = str(error)
        return standing

    def _write_lines(self, now_us: int) -> None:
        version = self._node.version
        if version is None:
            return
        names_changed = self._read_names()
        # Killed or not, the lines are those of the ladder: the state says whether they count.
        rung = self._node.reader.rung(now_us)
        same_ground = self._written is not None and rung is self._lines_from and not names_changed
        changed: set[str] | None = set()
        if version != self._written:
            changed = (
                self._changed_since(self._written)
                if same_ground and self._written is not None
                else None
            )
        follow = None if self._maps is None else self._maps.follow
        if changed is None or not same_ground or self._files.outgrown:
            if self._maps is not None:
                self._maps.begin()
            self._files.write_all(now_us, follow)
        elif version != self._written:
            self._files.write_changes(changed, now_us, follow)
        else:
            return
        self._written, self._lines_from = version, rung
        self._maps_done = False

    def _changed_since(self, version: Version) -> set[str] | None:
        found = self._node.reader.changed_since(version)
        return None if found is None else set(found)

    def _write_state(self, standing: Standing, now_us: int) -> None:
        key = (standing.state, standing.why, standing.version)
        due = not 0 <= now_us - self._state_written_us < STATE_EVERY_US
        if key != self._state or due:
            self._files.write_state(standing, now_us)
            self._metrics.show(standing, now_us)
            replace_file(self._metrics_file, (generate_latest(self._metrics.registry).decode(),))
            self._state, self._state_written_us = key, now_us

    def _write_maps(self, standing: Standing, now_us: int) -> None:
        maps = self._maps
        if maps is None:
            return
        self._maps_done &= not maps.stand(standing.state)
        due = not 0 <= now_us - self._maps_looked_us < MAPS_EVERY_US
        if due:
            maps.write_files()
            self._maps_looked_us = now_us
        if due or not self._maps_done:
            self._maps_done = maps.push()

    def _read_names(self) -> bool:
        if self._names_file is None:
            return False
        try:
            status = self._names_file.stat()
            seen = (status.st_mtime_ns, status.st_size)
            if seen == self._names_seen:
                return False
            text = self._names_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(
                f"The names in {self._names_file} cannot be read: {error}.",
                "The names read before stay in use.",
            ) from error
        self._names_seen = seen
        self._names = [line.strip() for line in text.splitlines() if is_writable(line.strip())]
        return True


def check_into(into: Path) -> None:
    """Make the directory of the files, and see that it can be written.

    Raises
    ------
    InvalidInput
        It cannot be used.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
        probe = into / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise InvalidInput(
            f"{into} cannot be written: {error.strerror or error}.",
            "Give a directory of this user with --into.",
            field="into",
        ) from error
