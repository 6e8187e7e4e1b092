"""How many streams a worker serves at a time."""

from __future__ import annotations

import threading


class Slots:
    """Places for so many streams; taken and given back from any thread."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._free = most
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether there was one left."""
        with self._lock:
            if self._free == 0:
                return False
            self._free -= 1
            return True

    def give_back(self) -> None:
        """One has ended."""
        with self._lock:
            self._free += 1
