"""Leases in SQLite."""

from __future__ import annotations

from typing import Any

from ledger.lease import Lease
from ledger.sqlite_base import SqlitePart

_SELECT = "SELECT name, holder, epoch, expires_us FROM lease WHERE name = ?"


class SqliteLeases(SqlitePart):
    """See :class:`ledger.lease.LeaseStore`."""

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
        """Take or renew a lease; the lease as it is then, whoever holds it."""
        with self.file.writing() as connection:
            held = _one(connection.execute(_SELECT, (name,)).fetchall())
            if held is not None and held.holder not in {holder, dead} and held.expires_us > now_us:
                return held
            epoch = _next_epoch(held, holder, after_epoch)
            connection.execute(
                "INSERT INTO lease (name, holder, epoch, expires_us) VALUES (?1, ?2, ?3, ?4)"
                " ON CONFLICT (name) DO UPDATE SET holder = ?2, epoch = ?3, expires_us = ?4",
                (name, holder, epoch, expires_us),
            )
        return Lease(name=name, holder=holder, epoch=epoch, expires_us=expires_us)

    def lease(self, name: str) -> Lease | None:
        """The lease as it is; None if nobody ever held it."""
        return _one(self.file.rows(_SELECT, (name,)))

    def drop_lease(self, name: str, holder: str, *, now_us: int) -> None:
        """Let it expire now, if ``holder`` has it."""
        with self.file.writing() as connection:
            connection.execute(
                "UPDATE lease SET expires_us = min(expires_us, ?3) WHERE name = ?1 AND holder = ?2",
                (name, holder, now_us),
            )


def _one(rows: list[tuple[Any, ...]]) -> Lease | None:
    if not rows:
        return None
    name, holder, epoch, expires_us = rows[0]
    return Lease(name=name, holder=holder, epoch=epoch, expires_us=expires_us)


def _next_epoch(held: Lease | None, holder: str, after_epoch: int) -> int:
    if held is None:
        return after_epoch + 1
    if held.holder == holder and held.epoch > after_epoch:
        return held.epoch
    return max(held.epoch, after_epoch) + 1
