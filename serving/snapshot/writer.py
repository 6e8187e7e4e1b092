"""Writes the snapshot: a base where much is new, a signed delta frame where little is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.errors import NotFound
from serving.snapshot.disk import storage_errors, write_whole
from serving.snapshot.entry import Entry, Vocabulary, pack_entry
from serving.snapshot.frame import Additions, pack_frame
from serving.snapshot.index import build_index, home_count, home_hashes
from serving.snapshot.layout import (
    ALIAS,
    BaseHeader,
    digest_of,
    name_key,
)
from serving.snapshot.version import (
    POINTER,
    Version,
    base_name,
    delta_path,
    epoch_of,
    pointed_epoch,
)

#: A new base is due when deltas have written this many records, or this share of all tenants.
MIN_DELTA_RECORDS = 10_000
MAX_DELTA_SHARE = 0.1


class SnapshotWriter:
    """The one writer of a snapshot directory (the home's lock keeps it the only one).

    It starts with a base whose epoch follows the one that the pointer names, so that versions
    never go back, not even over restarts.
    """

    def __init__(self, directory: Path, key: Ed25519PrivateKey) -> None:
        self._directory = directory
        self._key = key
        self._names: list[bytes] = []
        self._slots: dict[str, int] = {}
        self._records: list[bytes] = []
        self._offsets: list[int] = []
        self._heap_bytes = 0
        self._aliases: dict[bytes, str] = {}
        self._vocabulary = Vocabulary()
        self._epoch = max(pointed_epoch(directory) or 0, _newest_epoch(directory))
        self._number = 0
        self._digest = b""  # of the base that deltas build on; empty before the first
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
        """Replace everything: exactly these tenants, and these aliases (alias → tenant id)."""
        self._behind = True
        self._names, self._slots, self._records, self._offsets = [], {}, [], []
        self._heap_bytes = 0
        self._vocabulary = Vocabulary()
        for entry in entries:
            self._put(entry)
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
        that the snapshot is still fresh.
        """
        must_rebase, self._behind = self._behind or not self._digest, True
        words = self._vocabulary.sizes()
        known = len(self._names)
        changed = [slot for slot in map(self._put, entries) if slot is not None]
        moved = self._move_aliases(aliases or {})
        due = self._delta_records + len(changed)
        if must_rebase or due > max(MIN_DELTA_RECORDS, MAX_DELTA_SHARE * known):
            return self._write_base(created_us, as_of_us)
        added = Additions(
            **self._vocabulary.since(words),
            tenants=[name.decode("ascii") for name in self._names[known:]],
            aliases=moved,
        )
        return self._append_frame(changed, added, created_us, as_of_us)

    def _put(self, entry: Entry) -> int | None:
        """Set a tenant's record; its slot, or None where nothing changed."""
        slot = self._slots.get(entry.tenant_id)
        if slot is None:
            name = entry.tenant_id.encode("ascii")
            record = pack_entry(entry, self._vocabulary, self._heap_bytes, len(name))
            slot = self._slots[entry.tenant_id] = len(self._names)
            self._names.append(name)
            self._offsets.append(self._heap_bytes)
            self._heap_bytes += len(name)
            self._records.append(record)
            return slot
        record = pack_entry(entry, self._vocabulary, self._offsets[slot], len(self._names[slot]))
        if record == self._records[slot]:
            return None
        self._records[slot] = record
        return slot

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
        own = {name_key(name) for name in self._names} if aliases else set()
        aliases = [pair for pair in aliases if pair[0] not in own]
        sections = self._sections(aliases)
        body = b"".join(sections)
        records, index, alias_bytes, heap, words = (len(section) for section in sections)
        header = BaseHeader(
            self._epoch + 1,
            created_us,
            as_of_us,
            len(self._names),
            len(aliases),
            home_count(len(self._names) + len(aliases)),
            0,
            records,
            index,
            alias_bytes,
            heap,
            words,
            digest_of(body),
        )
        signed = header.pack()
        path = self._directory / base_name(header.epoch)
        write_whole(path, (signed, self._key.sign(signed), body))
        write_whole(delta_path(path), ())
        write_whole(self._directory / POINTER, (path.name.encode() + b"\n",))
        self._epoch, self._number, self._digest = header.epoch, 0, header.digest
        self._delta_records = self._delta_bytes = 0
        self._behind = False
        self._remove_old()
        return Version(self._epoch, 0)

    def _sections(self, aliases: list[tuple[bytes, int]]) -> tuple[bytes, ...]:
        keys = chain(map(name_key, self._names), (key for key, _ in aliases))
        index = build_index(home_hashes(keys), home_count(len(self._names) + len(aliases)))
        everything = self._vocabulary.since((0,) * len(self._vocabulary.sizes()))
        return (
            b"".join(self._records),
            index.astype("<u4").tobytes(),
            b"".join(ALIAS.pack(key, slot) for key, slot in aliases),
            b"".join(self._names),
            msgspec.json.encode(everything),
        )

    def _append_frame(
        self, slots: list[int], added: Additions, created_us: int, as_of_us: int
    ) -> Version:
        # A tenant named twice in one call counts once, with its last record.
        unique = dict.fromkeys(slots)
        raw = pack_frame(
            self._key,
            epoch=self._epoch,
            number=self._number + 1,
            base=self._digest,
            created_us=created_us,
            as_of_us=as_of_us,
            items=((slot, self._records[slot]) for slot in unique),
            additions=added,
        )
        path = delta_path(self._directory / base_name(self._epoch))
        with storage_errors(path):
            _append(path, raw, self._delta_bytes)
        self._number += 1
        self._delta_bytes += len(raw)
        self._delta_records += len(unique)
        self._behind = False
        return Version(self._epoch, self._number)

    def _remove_old(self) -> None:
        # The epoch before stays for readers that are just opening it.
        for path in self._directory.glob("snapshot-*.fb[sd]"):
            epoch = epoch_of(path.with_suffix(".fbs").name)
            if epoch is not None and epoch < self._epoch - 1:
                path.unlink(missing_ok=True)


def _append(path: Path, raw: bytes, at: int) -> None:
    # Not synced: after a power cut a torn frame is refused and the next base replaces it.
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(handle, at)  # what a failed append left behind
        written = 0
        while written < len(raw):
            written += os.pwrite(handle, memoryview(raw)[written:], at + written)
    finally:
        os.close(handle)


def _newest_epoch(directory: Path) -> int:
    epochs = (epoch_of(path.name) for path in directory.glob("snapshot-*.fbs"))
    return max((epoch for epoch in epochs if epoch is not None), default=0)
