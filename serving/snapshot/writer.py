"""Writes the snapshot: a base where much is new, a signed delta frame where little is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from flyball.errors import InvalidInput, NotFound
from serving.snapshot.disk import append_at, remove_before, storage_errors, write_whole
from serving.snapshot.entry import Entry, Vocabulary
from serving.snapshot.frame import Additions, pack_frame
from serving.snapshot.index import build_index, home_count, home_hashes
from serving.snapshot.layout import (
    ALIAS,
    RECORD,
    BaseHeader,
    digest_of,
    name_key,
)
from serving.snapshot.packing import differ, items_of, pack_entries, put_records, records_at
from serving.snapshot.version import (
    Version,
    base_name,
    delta_path,
    newest_epoch,
)

#: A new base is due when deltas have written this many records, or this share of all tenants.
MIN_DELTA_RECORDS = 10_000
MAX_DELTA_SHARE = 0.1

#: Entries that become records at once: their columns stay in a core's cache.
_BATCH = 4_096
_LONGEST_NAME = 255

Slots = NDArray[np.int64]
_NO_SLOTS: Slots = np.empty(0, dtype=np.int64)


class Fence(Protocol):
    """What says whether one may publish now, and under which epoch."""

    def epoch(self) -> int:
        """The epoch of the lease that is held; raises Refused where it is not held any more."""


class OwnDirectory:
    """A fence for directories that nobody else writes: each writer is a new holder."""

    def __init__(self, directory: Path) -> None:
        self._epoch = newest_epoch(directory) + 1

    def epoch(self) -> int:
        """One more than the largest on disk when this writer came."""
        return self._epoch


class SnapshotWriter:
    """The publisher of a snapshot directory.

    Parameters
    ----------
    directory, key:
        Where, and signed with what.
    fence:
        Asked before every publication. A new epoch begins with a base. Whoever publishes without
        being allowed to does so under an epoch that readers have left behind.

    Versions grow with every publication, also with one that failed half-way.
    """

    def __init__(self, directory: Path, key: Ed25519PrivateKey, fence: Fence | None = None) -> None:
        self._directory = directory
        self._key = key
        self._fence = OwnDirectory(directory) if fence is None else fence
        # In the order of their slots: those of new tenants follow those already there.
        self._slots: dict[str, int] = {}
        # Laid end to end: a million objects would cost twice the memory, their own time, and that
        # of the garbage collector, which looks at each in the middle of a publication.
        self._records = bytearray()
        self._heap = bytearray()
        self._aliases: dict[bytes, str] = {}
        self._vocabulary = Vocabulary()
        self._epoch = 0
        self._number = -1
        self._base = Version(0, 0)
        self._digest = b""  # of the base that deltas build on; empty before the first
        self._created_us = 0
        self._delta_records = 0
        self._delta_bytes = 0
        self._behind = False  # memory is ahead of the files: only a base makes them equal

    @property
    def version(self) -> Version | None:
        """The last version that this writer published; None before the first."""
        return Version(self._epoch, self._number) if self._digest else None

    def publish_all(
        self,
        entries: Iterable[Entry],
        *,
        aliases: Mapping[str, str],
        created_us: int,
        as_of_us: int,
    ) -> Version:
        """Replace everything: exactly these tenants, and these aliases (alias → tenant id).

        Raises
        ------
        Refused
            The lease is not held any more; nothing was published.
        StorageError
            It could not be written.
        """
        self._enter_epoch()
        self._behind = True
        self._slots, self._records, self._heap = {}, bytearray(), bytearray()
        self._vocabulary = Vocabulary()
        self._put(entries)
        self._aliases = {name_key(a.encode()): tenant for a, tenant in aliases.items()}
        return self._write_base(created_us, as_of_us)

    def publish_changes(
        self,
        entries: Iterable[Entry],
        *,
        aliases: Mapping[str, str | None] | None = None,
        created_us: int,
        as_of_us: int,
    ) -> Version:
        """Publish what changed; ``aliases`` maps to None what is no longer an alias.

        Entries equal to what is there already are left out; with nothing left the frame only says
        that the snapshot is still fresh. Raises as :meth:`publish_all` does.
        """
        self._enter_epoch()
        must_rebase, self._behind = self._behind or not self._digest, True
        words = self._vocabulary.sizes()
        known = len(self._slots)
        changed = self._put(entries)
        moved = self._move_aliases(aliases or {})
        due = self._delta_records + len(changed)
        if must_rebase or due > max(MIN_DELTA_RECORDS, MAX_DELTA_SHARE * known):
            return self._write_base(created_us, as_of_us)
        added = Additions(
            **self._vocabulary.since(words),
            tenants=[*islice(reversed(self._slots), len(self._slots) - known)][::-1],
            aliases=moved,
        )
        return self._append_frame(changed, added, created_us, as_of_us)

    def _enter_epoch(self) -> None:
        epoch = self._fence.epoch()
        if epoch != self._epoch:
            self._epoch, self._number, self._digest = epoch, -1, b""

    def _next(self, created_us: int) -> tuple[Version, int]:
        """The next version, and when it is made; a clock set back does not take it back."""
        # Counted before it is written: a failed write may have been seen all the same.
        self._number += 1
        self._created_us = max(created_us, self._created_us)
        return Version(self._epoch, self._number), self._created_us

    def _put(self, entries: Iterable[Entry]) -> Slots:
        """Set tenants' records; the slots of those that are new or changed, in order."""
        changed = [_NO_SLOTS]
        following = iter(entries)
        while batch := [*islice(following, _BATCH)]:
            changed.append(self._put_batch(batch))
        # A tenant named in two batches of one call counts once.
        return np.unique(np.concatenate(changed))

    def _put_batch(self, entries: list[Entry]) -> Slots:
        known = len(self._slots)
        # A tenant named twice counts once, with its last entry.
        last = {entry.tenant_id: entry for entry in entries}
        # Before anything is kept: a refused entry must not leave empty records behind.
        packed = pack_entries([*last.values()], self._vocabulary)
        found: list[int | None] = [*map(self._slots.get, last)]
        if None in found:
            self._add_tenants([name for name in last if name not in self._slots])
            found = [*map(self._slots.get, last)]
        slots = np.array(found, dtype=np.int64)
        held = records_at(self._records, slots)
        for name in ("name_offset", "name_length"):
            packed[name] = held[name]
        changed = differ(packed, held) | (slots >= known)
        put_records(self._records, slots[changed], packed[changed])
        return slots[changed]

    def _add_tenants(self, tenant_ids: list[str]) -> None:
        """Give new tenants slots, and records that know their names only."""
        names = [name.encode("ascii") for name in tenant_ids]
        if any(len(name) > _LONGEST_NAME for name in names):
            raise InvalidInput(
                f"A tenant's id is longer than {_LONGEST_NAME} bytes.", field="tenant_id"
            )
        for tenant_id, name in zip(tenant_ids, names, strict=True):
            self._slots[tenant_id] = len(self._slots)
            self._records += RECORD.pack(0, 0, len(self._heap), 0, 0, 0, 0, 0, 0, 0, len(name), 0)
            self._heap += name

    def _move_aliases(self, aliases: Mapping[str, str | None]) -> dict[str, int | None]:
        moved: dict[str, int | None] = {}
        for alias, tenant in aliases.items():
            if alias in self._slots:
                continue  # a tenant's own id always means that tenant
            key = name_key(alias.encode())
            if tenant is None:
                self._aliases.pop(key, None)
                moved[key.hex()] = None
                continue
            if tenant not in self._slots:
                raise NotFound(f"alias of {tenant}: the snapshot has no such tenant.")
            if self._aliases.get(key) != tenant:
                self._aliases[key] = tenant
                moved[key.hex()] = self._slots[tenant]
        return moved

    def _write_base(self, created_us: int, as_of_us: int) -> Version:
        aliases = [
            (key, slot)
            for key, tenant in sorted(self._aliases.items())
            if (slot := self._slots.get(tenant)) is not None
        ]
        if aliases:
            own = {name_key(name) for name in map(str.encode, self._slots)}
            aliases = [pair for pair in aliases if pair[0] not in own]
        sections = self._sections(aliases)
        body = b"".join(sections)
        records, index, alias_bytes, heap, words = (len(section) for section in sections)
        version, created_us = self._next(created_us)
        header = BaseHeader(
            version.epoch,
            version.number,
            created_us,
            as_of_us,
            len(self._slots),
            len(aliases),
            home_count(len(self._slots) + len(aliases)),
            0,
            records,
            index,
            alias_bytes,
            heap,
            words,
            digest_of(body),
        )
        signed = header.pack()
        path = self._directory / base_name(version)
        # The delta first: whoever sees the base may look for it at once.
        write_whole(delta_path(path), ())
        write_whole(path, (signed, self._key.sign(signed), body))
        self._base, self._digest = version, header.digest
        self._delta_records = self._delta_bytes = 0
        self._behind = False
        remove_before(self._directory, version)
        return version

    def _sections(self, aliases: list[tuple[bytes, int]]) -> tuple[bytes, ...]:
        keys = chain(map(name_key, map(str.encode, self._slots)), (key for key, _ in aliases))
        index = build_index(home_hashes(keys), home_count(len(self._slots) + len(aliases)))
        return (
            bytes(self._records),
            index.astype("<u4").tobytes(),
            b"".join(ALIAS.pack(key, slot) for key, slot in aliases),
            bytes(self._heap),
            msgspec.json.encode(self._vocabulary.everything()),
        )

    def _append_frame(
        self, slots: Slots, added: Additions, created_us: int, as_of_us: int
    ) -> Version:
        version, created_us = self._next(created_us)
        raw = pack_frame(
            self._key,
            epoch=version.epoch,
            number=version.number,
            base=self._digest,
            created_us=created_us,
            as_of_us=as_of_us,
            records=items_of(slots, self._records),
            additions=added,
        )
        path = delta_path(self._directory / base_name(self._base))
        with storage_errors(path):
            append_at(path, raw, self._delta_bytes)
        self._delta_bytes += len(raw)
        self._delta_records += len(slots)
        self._behind = False
        return version
