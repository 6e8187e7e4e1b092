"""Leases: who may do alone what only one may do, until when, and under which epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

#: The lease of whoever publishes the snapshot.
PUBLISHER = "publisher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One lease as it is now.

    ``epoch`` grows by at least one with each new holder and never falls, so that what an earlier
    holder still writes can be told from what the present one writes. After ``expires_us`` another
    holder may take it; until one does, it is still the earlier one's.
    """

    name: str
    holder: str
    epoch: int
    expires_us: int


class LeaseStore(Protocol):
    """Leases by name; every method is one transaction."""

    def take_lease(
        self,
        name: str,
        holder: str,
        *,
        now_us: int,
        expires_us: int,
        after_epoch: int = 0,
        dead: str = "",
    ) -> Lease:
        """Take or renew a lease; the lease as it is then, whoever holds it.

        Parameters
        ----------
        holder:
            Names one process, this one; never used again by another.
        after_epoch:
            The epoch becomes larger than this (a store may have been restored from a backup).
        dead:
            A holder that is known to have ended: its lease counts as expired.
        """

    def lease(self, name: str) -> Lease | None:
        """The lease as it is; None if nobody ever held it."""

    def drop_lease(self, name: str, holder: str, *, now_us: int) -> None:
        """Let it expire now, if ``holder`` has it."""
