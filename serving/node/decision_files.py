"""The sidecar's files: everything in one, changes appended to another, the state in a third."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from flyball.instant import SECOND_US
from serving.node.lines import (
    WireDecision,
    changes_head,
    decision_line,
    gone_line,
    is_writable,
    limit_columns,
    read_decision,
    version_line,
)
from serving.node.standing import Standing, State
from serving.node.whole_file import append_to, replace_file
from serving.snapshot.answer import FRESH_US, LAST_KNOWN_GOOD_US, LimitsFrom
from serving.snapshot.reader import SnapshotReader

#: Changes may outgrow the full file by this much before everything is written anew.
_MIN_CHANGES_BYTES = 1 << 20
_MOST_SHARED = 65_536

#: Told of every name that was written: the decision, or None for a name that is gone.
Follow = Callable[[str, WireDecision | None], None]


class DecisionFiles:
    """Writes a reader's decisions below ``into``; the one writer of that directory.

    ``names`` gives the names besides tenants' ids that lines are wanted for.
    """

    def __init__(self, into: Path, reader: SnapshotReader, names: Callable[[], list[str]]) -> None:
        self._into = into
        self._reader = reader
        self._names = names
        self._generation = _generation_of(into / "decisions.tsv")
        self._whole_bytes = self._changes_bytes = 0

    @property
    def generation(self) -> int:
        """Grows with every rewrite."""
        return self._generation

    def write_all(self, now_us: int, follow: Follow | None) -> None:
        """Replace everything: a new generation."""
        self._generation += 1
        head = self._version_line()

        def lines() -> Iterator[str]:
            yield head
            yield from self._tenant_lines(now_us, follow)
            for name in self._names():
                decision = read_decision(self._reader.answer(name, now_us))
                if decision.known and is_writable(name) and name != decision.tenantId:
                    if follow is not None:
                        follow(name, decision)
                    yield decision_line(name, decision)

        self._whole_bytes = replace_file(self._into / "decisions.tsv", lines())
        self._changes_bytes = replace_file(
            self._into / "changes.tsv", (changes_head(self._generation),)
        )

    def _tenant_lines(self, now_us: int, follow: Follow | None) -> Iterator[str]:
        """A line for each tenant; limits that many share are worked out once."""
        shared: dict[LimitsFrom, tuple[WireDecision, str]] = {}
        for name, source in self._reader.limits_from(now_us):
            if not is_writable(name):
                continue
            held = shared.get(source)
            if held is None:
                decision = read_decision(self._reader.answer(name, now_us))
                if len(shared) >= _MOST_SHARED:
                    shared.clear()
                held = shared[source] = decision, limit_columns(decision)
            if follow is not None:
                follow(name, msgspec.structs.replace(held[0], tenantId=name))
            yield f"{name}\t{name}\t{held[1]}"

    def write_changes(self, tenants: set[str], now_us: int, follow: Follow | None) -> None:
        """Append the lines of ``tenants``, and of every name that means one of them."""
        lines = [self._version_line()]
        for name in sorted(tenants):
            lines.append(self._line(name, now_us, follow))
        for name in self._names():
            # An alias may be new, moved or taken back: all of them are looked up again.
            decision = read_decision(self._reader.answer(name, now_us))
            if name not in tenants and (not decision.known or decision.tenantId in tenants):
                lines.append(self._line(name, now_us, follow))
        text = "".join(line for line in lines if line)
        self._changes_bytes = append_to(self._into / "changes.tsv", text)

    @property
    def outgrown(self) -> bool:
        """Whether reading everything would cost less than reading all changes."""
        return self._changes_bytes > max(_MIN_CHANGES_BYTES, self._whole_bytes)

    def _line(self, name: str, now_us: int, follow: Follow | None) -> str:
        if not is_writable(name):
            return ""
        decision = read_decision(self._reader.answer(name, now_us))
        if follow is not None:
            follow(name, decision if decision.known else None)
        return decision_line(name, decision) if decision.known else gone_line(name)

    def _version_line(self) -> str:
        version, created_us = self._reader.version, self._reader.created_us or 0
        epoch, number = (0, 0) if version is None else (version.epoch, version.number)
        return version_line(
            self._generation,
            epoch,
            number,
            created_us // SECOND_US,
            (created_us + LAST_KNOWN_GOOD_US) // SECOND_US,
        )

    def write_state(self, standing: Standing, now_us: int) -> None:
        """Say what the lines are worth."""
        document = {
            "state": standing.state.value,
            "why": standing.why,
            "version": None if standing.version is None else str(standing.version),
            "generation": self._generation,
            "published": (standing.published_us or 0) // SECOND_US,
            "ageSeconds": standing.age_us(now_us) // SECOND_US,
            "tenants": self._reader.tenants,
            "written": now_us // SECOND_US,
        }
        text = json.dumps(document, separators=(",", ":")) + "\n"
        replace_file(self._into / "state.json", (text,))


def expires_us(standing: Standing) -> int:
    """When the state changes without news; 0 for one that does not."""
    if standing.published_us is None or standing.state is State.OPEN:
        return 0
    rung = FRESH_US if standing.state is State.FRESH else LAST_KNOWN_GOOD_US
    return standing.published_us + rung


def _generation_of(path: Path) -> int:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            parts = file.readline(200).split("\t")
        return int(parts[2]) if parts[0] == "#flyball" else 0
    except (FileNotFoundError, IndexError, ValueError):
        return 0
