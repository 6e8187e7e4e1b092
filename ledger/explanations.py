"""Why each tenant's decision is what it is: the numbers behind it, kept for people.

Beside them stands what holds limits up whatever is decided: a storage limit never falls below what
is stored. Only the tenants whose primary limit is one have a row there.

One row a tenant: what the current decision was based on, and what the one before it was, so that a
page can say what changed. It is a read model beside the ledger: lost, it fills again with the next
pass, so its writes are not synced to disk one by one. ``revision`` grows with every write, so that
a reader can follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import apsw
import msgspec

from flyball.errors import StorageError

#: Bumped when the table changes; a file of another version is thrown away and fills again.
FILE_VERSION = 3

_SCHEMA = """
CREATE TABLE IF NOT EXISTS explanation (
    tenant_id TEXT PRIMARY KEY,
    decision_id TEXT NOT NULL,
    current BLOB NOT NULL,
    previous BLOB,
    revision INTEGER NOT NULL,
    as_of_us INTEGER NOT NULL,
    upgrade REAL,
    churn REAL,
    upgrade_factor TEXT NOT NULL,
    churn_factor TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS explanation_revision ON explanation (revision);
CREATE TABLE IF NOT EXISTS floor (
    tenant_id TEXT PRIMARY KEY,
    hundredths INTEGER NOT NULL,
    revision INTEGER NOT NULL
) WITHOUT ROWID
"""

_PUT_FLOOR = """
INSERT INTO floor VALUES (?1, ?2, ?3)
ON CONFLICT (tenant_id) DO UPDATE SET hundredths = ?2, revision = ?3 WHERE hundredths <> ?2
"""

_PUT = """
INSERT INTO explanation (
    tenant_id, decision_id, current, revision, as_of_us, upgrade, churn, upgrade_factor,
    churn_factor
) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (tenant_id) DO UPDATE SET
    previous = CASE WHEN decision_id <> excluded.decision_id THEN current ELSE previous END,
    decision_id = excluded.decision_id,
    current = excluded.current,
    revision = excluded.revision,
    as_of_us = excluded.as_of_us,
    upgrade = excluded.upgrade,
    churn = excluded.churn,
    upgrade_factor = excluded.upgrade_factor,
    churn_factor = excluded.churn_factor
"""


class ArmView(msgspec.Struct, frozen=True, array_like=True):
    """One arm as the models see it: chances over 28 days with their standard deviations.

    ``trust`` is none, pooled, segment or personal; chances are None where it is none, which means
    insufficient evidence. ``dose`` is the expected blocked share more than at m = 1.
    """

    arm: int
    trust: str
    dose: float | None
    upgrade: float | None
    upgrade_sd: float | None
    churn: float | None
    churn_sd: float | None
    propensity: float | None


class Evidence(msgspec.Struct, frozen=True, array_like=True):
    """What one decision was based on.

    ``contributions`` maps outcome to factor group to its signed contribution on the log-odds scale
    (path attribution): associated with the outcome, not causing it. ``features`` are the values the
    model read, None for missing. ``upgrade`` and ``churn`` are the probabilities over 28 days under
    the served arm.
    """

    decision_id: str
    as_of_us: int
    model_version: str
    proposed_arm: int
    contributions: dict[str, dict[str, float]]
    arms: list[ArmView]
    features: dict[str, float | None]
    upgrade: float | None = None
    churn: float | None = None

    def top_factor(self, outcome: str) -> str:
        """The factor group that speaks most for ``outcome``; empty where none does."""
        found = self.contributions.get(outcome, {})
        name = max(found, key=lambda group: (found[group], group), default="")
        return name if name and found[name] > 0.0 else ""


class Explained(msgspec.Struct, frozen=True):
    """The evidence behind a tenant's current decision and behind the one before."""

    current: Evidence
    previous: Evidence | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Evidence).decode


class Explanations:
    """The file of explanations; one writer (the control loop), any number of readers."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        flags = apsw.SQLITE_OPEN_READONLY
        if not read_only:
            flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection: Any = apsw.Connection(str(path), flags=flags)
            self._connection.set_busy_timeout(2_000)
            if not read_only:
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute("PRAGMA synchronous=OFF")
                if self._connection.pragma("user_version") != FILE_VERSION:
                    self._connection.execute("DROP TABLE IF EXISTS explanation")
                    self._connection.execute("DROP TABLE IF EXISTS floor")
                    self._connection.pragma("user_version", FILE_VERSION)
                self._connection.execute(_SCHEMA)
        except apsw.Error as error:
            raise StorageError(
                f"{path} cannot be opened: {error}.", "The control loop writes it; is it running?"
            ) from error

    def put(self, evidence: Iterable[tuple[str, Evidence]]) -> None:
        """Replace what is known of tenants; an older decision's evidence becomes the previous."""
        try:
            with self._connection:
                found = self._connection.execute("SELECT max(revision) FROM explanation")
                revision = (found.fetchall()[0][0] or 0) + 1
                self._connection.executemany(
                    _PUT, (_values(name, item, revision) for name, item in evidence)
                )
        except apsw.Error as error:
            raise StorageError(f"Explanations cannot be written: {error}.") from error

    def put_floors(self, floors: Mapping[str, int], tenants: Iterable[str]) -> None:
        """Replace what holds up the primary limits of ``tenants``; mostly there is nothing to do.

        Parameters
        ----------
        floors:
            Tenant to the lowest multiplier of its primary limit, in hundredths (> 0).
        tenants:
            Those whose floors are known now; without an entry in ``floors`` they have none.
        """
        try:
            known = dict(self._connection.execute("SELECT tenant_id, hundredths FROM floor"))
            if not known and not floors:
                return
            changed = [
                (tenant, floors.get(tenant, 0))
                for tenant in tenants
                if floors.get(tenant, 0) != known.get(tenant, 0)
            ]
            if not changed:
                return
            with self._connection:
                found = self._connection.execute("SELECT max(revision) FROM floor")
                revision = (found.fetchall()[0][0] or 0) + 1
                self._connection.executemany(
                    _PUT_FLOOR, ((tenant, floor, revision) for tenant, floor in changed)
                )
        except apsw.Error as error:
            raise StorageError(f"What is stored cannot be noted: {error}.") from error

    def floors(self) -> dict[str, int]:
        """Tenant to the lowest multiplier of its primary limit (hundredths), where there is one."""
        try:
            return dict(
                self._connection.execute(
                    "SELECT tenant_id, hundredths FROM floor WHERE hundredths > 0"
                )
            )
        except apsw.Error as error:
            raise StorageError(f"What is stored cannot be read: {error}.", "Try again.") from error

    def of(self, tenant_id: str) -> Explained | None:
        """The evidence for one tenant; None where there is none (no model, or unknown)."""
        try:
            rows = self._connection.execute(
                "SELECT current, previous FROM explanation WHERE tenant_id = ?", (tenant_id,)
            ).fetchall()
        except apsw.Error as error:
            raise StorageError(f"Explanations cannot be read: {error}.", "Try again.") from error
        if not rows:
            return None
        current, previous = rows[0]
        return Explained(_decode(current), None if previous is None else _decode(previous))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Explanations:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _values(tenant_id: str, item: Evidence, revision: int) -> tuple[object, ...]:
    return (
        tenant_id, item.decision_id, _encode(item), revision, item.as_of_us, item.upgrade,
        item.churn, item.top_factor("upgrade"), item.top_factor("churn"),
    )  # fmt: skip
