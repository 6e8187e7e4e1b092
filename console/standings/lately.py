"""Answers about many accounts that cost a second and may be a minute old."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from console.access.tenants import AccessibleTenants
from flyball.instant import MINUTE_US

Answer = TypeVar("Answer")
#: Sights kept at once: more than there are people, few enough to forget.
_MOST = 512


@dataclass(slots=True)
class _Kept(Generic[Answer]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    answers: list[tuple[int, Answer]] = field(default_factory=list)


class Lately(Generic[Answer]):
    """One question's answers, each for exactly the tenants that it was asked about.

    Who asks while an answer is being found waits for that one. A failure is not kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, tuple[str, ...]], _Kept[Answer]] = {}

    def of(self, accessible: AccessibleTenants, now_us: int, find: Callable[[], Answer]) -> Answer:
        """The answer found within the last minute before ``now_us``, or what ``find`` finds."""
        with self._lock:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            kept = self._kept.setdefault(accessible.condition(), _Kept())
        with kept.lock:
            if kept.answers:
                found_us, answer = kept.answers[0]
                if 0 <= now_us - found_us < MINUTE_US:
                    return answer
            answer = find()
            kept.answers = [(now_us, answer)]
            return answer
