"""Says on stderr which step runs, and how long each one took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Narrator:
    """Numbers steps and times them; stdout stays free for results.

    Parameters
    ----------
    steps:
        How many steps there will be.
    """

    def __init__(self, steps: int, console: Console | None = None) -> None:
        self._steps = steps
        self._number = 0
        self._console = console or Console(stderr=True, highlight=False)
        self._began = time.monotonic()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One numbered step; what runs inside may write to stderr itself."""
        self._number += 1
        since_start = time.monotonic() - self._began
        self._console.print(
            f"[bold]{self._number}/{self._steps}[/] {title} [dim](at {since_start:.0f} s)[/]"
        )
        began = time.monotonic()
        yield
        self._console.print(f"    [green]done[/] in {time.monotonic() - began:.1f} s")

    def say(self, text: str) -> None:
        """A line between steps."""
        self._console.print(text, soft_wrap=True, markup=False)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first step could begin."""
        return time.monotonic() - self._began
