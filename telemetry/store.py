"""What an event log promises, whatever it is kept in.

Identity is ``(tenant_id, source, event_id)``; content is everything else except ``arrived_us``.
The behavioural suite in ``tests/contract/event_store`` runs over every implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from flyball.meter import Meter
from flyball.usage import UsageEvent


class KnownTenant(NamedTuple):
    """What a name stands for: the tenant, and when its account began."""

    tenant_id: str
    created_us: int


#: Finds the tenant that a name (tenant id or alias) stands for; None while there is none.
Resolve = Callable[[str], KnownTenant | None]


class Outcome(StrEnum):
    """What became of one event."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"  # same identity, same content: has its one effect already
    CONFLICT = "conflict"  # same identity, other content: refused, kept for inspection
    PENDING = "pending"  # its tenant is not known yet: kept until the account appears
    BEFORE_ACCOUNT = "before_account"  # older than the account: refused


@dataclass(frozen=True, slots=True)
class Receipt:
    """One outcome per event, in the order given; durable when it is returned."""

    outcomes: tuple[Outcome, ...]

    def counts(self) -> dict[Outcome, int]:
        """How many events met each outcome (outcomes that did not occur are left out)."""
        counted: dict[Outcome, int] = {}
        for outcome in self.outcomes:
            counted[outcome] = counted.get(outcome, 0) + 1
        return counted


class Changes(NamedTuple):
    """Tenants with newly accepted events since a cursor, and the cursor to ask with next."""

    tenants: tuple[str, ...]
    cursor: int


class EventStore(Protocol):
    """The log of live events. Safe to call from several threads."""

    def append(self, events: Sequence[UsageEvent], resolve: Resolve) -> Receipt:
        """Take ``events`` whose ``tenant_id`` is the name that the sender used.

        Returns only after the commit is durable.

        Raises
        ------
        StorageError
            Nothing of this call was taken.
        """
        ...

    def release(self, resolve: Resolve, names: Iterable[str] | None = None) -> Receipt:
        """Move pending events whose name now resolves into the log (``names``: only those).

        Events older than the account stay pending: a corrected account may still release them.
        """
        ...

    def oldest_pending_us(self, names: Iterable[str]) -> int | None:
        """Time of the oldest event that waits for one of ``names``; None if none does."""
        ...

    def changes_since(self, cursor: int) -> Changes:
        """Tenants whose events were accepted after ``cursor`` (0: from the beginning)."""
        ...

    def events_since(self, cursor: int, *, limit: int = 1_000_000) -> list[UsageEvent]:
        """Accepted live events after ``cursor`` in order of acceptance, at most ``limit``."""
        ...

    def pending(self) -> Mapping[str, int]:
        """Events kept per unknown name."""
        ...

    def conflicts(self, *, limit: int = 100) -> list[UsageEvent]:
        """Refused events whose identity was taken by other content, at most ``limit``."""
        ...

    def conflict_count(self) -> int:
        """How many distinct conflicting events are kept."""
        ...

    def declare_meters(self, meters: Iterable[Meter]) -> None:
        """Make meters known, replacing earlier declarations of the same name."""
        ...

    def meters(self) -> dict[str, Meter]:
        """Standard meters, overridden and extended by the declared ones."""
        ...

    def close(self) -> None:
        """Finish what is under way and let go of the storage."""
        ...


def same_content(kept: UsageEvent, sent: UsageEvent) -> bool:
    """Whether two events of one identity are the same event posted again.

    An event that came without a time carries its arrival as time, which differs each time it is
    posted; times are then not compared.
    """
    if (kept.meter, kept.quantity, kept.endpoint) != (sent.meter, sent.quantity, sent.endpoint):
        return False
    untimed = kept.time_us == kept.arrived_us and sent.time_us == sent.arrived_us
    return untimed or kept.time_us == sent.time_us
