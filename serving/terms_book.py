"""What is enforced for a name now: the decision in force, read once and remembered."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from flyball.enforcement.terms import Terms, terms_from

#: Names remembered; beyond that the book starts anew.
MOST_NAMES = 200_000


class TermsBook:
    """Terms by name, for a process that answers from the snapshot.

    Parameters
    ----------
    answer:
        The decision's JSON for a name (a tenant id or an alias); cheap, never fails.
    created_us:
        When the snapshot in use was written; None before the first.
    mark:
        Another number whenever any answer may have changed: a name is asked for once for each.
        None: it is asked for each time.

    A name's terms are read again exactly when its answer has changed.
    """

    def __init__(
        self,
        answer: Callable[[str], bytes],
        created_us: Callable[[], int | None],
        mark: Callable[[], int] | None = None,
    ) -> None:
        self._answer = answer
        self._created_us = created_us
        self._mark = mark
        self._known: dict[str, tuple[int, bytes, Terms, Decided]] = {}

    def look_up(self, name: str) -> tuple[Terms, Decided]:
        """What holds for ``name`` now, and the decision that it follows from."""
        held = self._known.get(name)
        # Asked before the answer is: what changes in between is then seen next time.
        mark = -1 if self._mark is None else self._mark()
        if held is not None and held[0] == mark >= 0:
            return held[2], held[3]
        raw = self._answer(name)
        if held is not None and held[1] == raw:
            self._known[name] = (mark, *held[1:])
            return held[2], held[3]
        document = msgspec.json.decode(raw)
        # The change was published at the latest with the version that showed it.
        terms = terms_from(document, since_us=self._created_us())
        decided = msgspec.convert(document, Decided)
        if len(self._known) >= MOST_NAMES:
            self._known.clear()
        self._known[name] = (mark, raw, terms, decided)
        return terms, decided


class Decided(msgspec.Struct, frozen=True):
    """The part of a decision that gateways put into headers and metadata; no probability."""

    tenantId: str  # noqa: N815
    baseLimit: int | None  # noqa: N815
    dynamicMultiplier: float  # noqa: N815
    enforceFriction: bool  # noqa: N815
    effectiveLimit: int | None  # noqa: N815
    windowSeconds: int | None  # noqa: N815
    decisionId: str | None  # noqa: N815
    source: str
