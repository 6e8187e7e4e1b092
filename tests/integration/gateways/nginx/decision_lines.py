"""The sidecar's files, written by a test: what the format of docs/reference/sidecar.md says."""

from __future__ import annotations

import time
from pathlib import Path


def limit(
    meter: str = "api.requests",
    kind: str = "rate",
    *,
    base: int = 100,
    now: int | None = None,
    window: int = 86_400,
    burst: int = 0,
    soft: int = 0,
    paid: bool = False,
    endpoints: str = "-",
) -> str:
    """The nine columns of a limit. Daily: what drains while a test runs is less than a unit."""
    columns = (meter, kind, base, base if now is None else now, window, burst, soft, int(paid))
    return "\t".join(str(part) for part in (*columns, endpoints))


def line(tenant: str, *limits: str, friction: bool = True) -> str:
    return "\t".join((tenant, tenant, str(int(friction)), str(len(limits)), *limits))


class DecisionFiles:
    """What a sidecar would write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._generation = 0
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True)

    def _version(self, age_seconds: int) -> str:
        self._number += 1
        published = int(time.time()) - age_seconds
        return f"#flyball\t1\t{self._generation}\t1\t{self._number}\t{published}\t{published + 900}"

    def write(self, *lines: str, age_seconds: int = 0) -> None:
        """A new generation."""
        self._generation += 1
        head = self._version(age_seconds)
        self._replace("decisions.tsv", "\n".join((head, *lines)) + "\n")
        self._replace("changes.tsv", f"#changes\t1\t{self._generation}\n")

    def change(self, *lines: str, age_seconds: int = 0) -> None:
        """Lines appended to the changes; the last without its end is not yet there."""
        with (self.folder / "changes.tsv").open("a") as file:
            file.write("\n".join((self._version(age_seconds), *lines)) + "\n")

    def append(self, raw: str) -> None:
        with (self.folder / "changes.tsv").open("a") as file:
            file.write(raw)

    def _replace(self, name: str, text: str) -> None:
        partial = self.folder / f"{name}.part"
        partial.write_text(text)
        partial.replace(self.folder / name)
