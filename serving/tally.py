"""A count that one thread adds to and another reads now and then."""

from __future__ import annotations


class Tally:
    """How many lookups a worker has answered; it only grows, so that reading never loses one."""

    __slots__ = ("lookups",)

    def __init__(self) -> None:
        self.lookups = 0
