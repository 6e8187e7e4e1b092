"""One base of the snapshot in memory: the mapped base, and what deltas have changed since.

Records are immutable bytes. A delta replaces whole records in one dictionary, each in one step, so
that a reader in another thread sees a tenant's record either before or after, never half of each.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from flyball.errors import BundleCorrupt, SignatureInvalid
from serving.snapshot.frame import Frame
from serving.snapshot.layout import (
    ABSENT,
    ALIAS_BYTES,
    BASE_HEADER_BYTES,
    DELTA_ITEM,
    NAME_LENGTH_AT,
    NAME_OFFSET_AT,
    PARTS,
    RECORD_BYTES,
    BaseHeader,
    Parts,
    base_signed_bytes,
    name_key,
    name_state,
    unpack_base_header,
)
from serving.snapshot.limit_word import LimitTexts, PlanWord, TermsWord
from serving.snapshot.version import Version

if TYPE_CHECKING:
    from serving.snapshot.form import Forms

_CHUNK_BYTES = 1 << 20
_slot = struct.Struct("<I").unpack_from
_parts = PARTS.unpack_from


#: A tenant's slot, its own id, and its current record.
Found = tuple[int, bytes, Parts]


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The vocabulary section, see :class:`serving.snapshot.entry.Vocabulary`."""

    reasons: list[tuple[str, ...]]
    origins: list[tuple[str, str]]
    times: list[tuple[int, int]]
    limits: list[int]
    foreign_ids: list[str]
    plans: list[PlanWord]
    terms: list[TermsWord]


class Table:
    """A verified base. Make one with :func:`open_table`."""

    def __init__(self, header: BaseHeader, body: mmap.mmap) -> None:
        self.header = header
        self.base = Version(header.epoch, header.number)
        self.version = self.base
        self.created_us = header.created_us
        self.as_of_us = header.as_of_us
        self._map = body
        self._homes = header.homes
        self._tenants = header.tenants
        self._records_at = BASE_HEADER_BYTES
        self._index_at = self._records_at + header.records_bytes
        self._aliases_at = self._index_at + header.index_bytes
        self._heap_at = self._aliases_at + header.alias_bytes
        words_at = self._heap_at + header.heap_bytes
        try:
            words = msgspec.json.decode(
                body[words_at : words_at + header.vocabulary_bytes], type=Words
            )
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BundleCorrupt(f"The snapshot's vocabulary cannot be read: {error}.") from error
        self.reasons = words.reasons
        self.origins = words.origins
        self.times = words.times
        self.limits = words.limits
        self.foreign_ids = words.foreign_ids
        self._plans = words.plans
        self._terms = words.terms
        self.limit_texts = LimitTexts(words.plans, words.terms)
        #: What answers have in common, from whoever writes them.
        self.forms: Forms | None = None
        self._frames: list[array[int]] = []
        self._overlay: dict[int, bytes] = {}
        self._new_names: list[bytes] = []
        self._new_slots: dict[bytes, int] = {}
        self._alias_changes: dict[bytes, int | None] = {}

    @property
    def tenants(self) -> int:
        """How many tenants are known, those that deltas added included."""
        return self.header.tenants + len(self._new_names)

    @property
    def changed(self) -> int:
        """How many records deltas have replaced or added."""
        return len(self._overlay)

    def find(self, name: bytes) -> Found | None:
        """The tenant of an id or alias; None if it is neither."""
        # name_key(), without the call: every request comes through here.
        state = name_state()
        state.update(name)
        key = state.digest()
        if self._new_slots:
            slot = self._new_slots.get(key)
            if slot is not None:
                return self._found(slot)
        if self._alias_changes and key in self._alias_changes:
            slot = self._alias_changes[key]
            return None if slot is None else self._found(slot)
        # The home position (see build_index), then one after the other.
        at = self._index_at + 4 * (_slot(key)[0] * self._homes >> 32)
        body, tenants, length = self._map, self._tenants, len(name)
        while True:
            entry = _slot(body, at)[0]
            if entry < tenants:
                # The whole record at once: the next thing that is asked for is the answer.
                parts = _parts(body, BASE_HEADER_BYTES + RECORD_BYTES * entry)
                if parts[7] >> 48 & 0xFF == length:
                    start = self._heap_at + parts[2]
                    if body[start : start + length] == name:
                        changed = self._overlay.get(entry)
                        return entry, name, parts if changed is None else PARTS.unpack(changed)
            elif entry == ABSENT:
                return None
            else:
                alias_at = self._aliases_at + ALIAS_BYTES * (entry - tenants)
                if body[alias_at : alias_at + 16] == key:
                    return self._found(_slot(body, alias_at + 16)[0])
            at += 4

    def _found(self, slot: int) -> Found:
        return slot, self.name(slot), self.parts(slot)

    def parts(self, slot: int) -> Parts:
        """The current record of a slot as :data:`PARTS`."""
        parts: Parts = PARTS.unpack(self.record(slot))
        return parts

    def record(self, slot: int) -> bytes:
        """The current record of a slot."""
        changed = self._overlay.get(slot)
        if changed is not None:
            return changed
        at = self._records_at + RECORD_BYTES * slot
        return self._map[at : at + RECORD_BYTES]

    def name(self, slot: int) -> bytes:
        """The tenant's own id."""
        if slot >= self.header.tenants:
            return self._new_names[slot - self.header.tenants]
        return self._base_name(slot)

    def _base_name(self, slot: int) -> bytes:
        # Names never move between bases, so the base's own record is right for changed ones too.
        at = self._records_at + RECORD_BYTES * slot
        start = self._heap_at + _slot(self._map, at + NAME_OFFSET_AT)[0]
        return self._map[start : start + self._map[at + NAME_LENGTH_AT]]

    def plan_of(self, terms: int) -> tuple[PlanWord, tuple[int, ...]]:
        """Limits (empty without a plan) and floors of a terms word."""
        plan, floors = self._terms[terms]
        return (self._plans[plan] if plan >= 0 else ()), floors

    def changed_since(self, version: Version) -> frozenset[int] | None:
        """Slots that frames after ``version`` have changed; None where that cannot be told."""
        if not self.base <= version <= self.version:
            return None
        frames = self._frames[version.number - self.base.number :]
        return frozenset(slot for frame in frames for slot in frame)

    def apply(self, frame: Frame) -> None:
        """Take over a verified frame that follows the current version.

        Raises
        ------
        BundleCorrupt
            It belongs elsewhere, or points at something that is not there; nothing is applied.
        """
        header, added = frame.header, frame.additions
        if header.base != self.header.digest or header.epoch != self.header.epoch:
            raise BundleCorrupt("A delta frame belongs to another base.")
        if header.number != self.version.number + 1:
            raise BundleCorrupt(
                f"Delta frame {header.number} does not follow {self.version.number}."
            )
        if header.created_us < self.created_us:
            raise BundleCorrupt("A delta frame is older than what it changes.")
        slots = self.tenants + len(added.tenants)
        items = dict(DELTA_ITEM.iter_unpack(frame.records))
        self._check_items(items, slots)
        if any(slot is not None and not 0 <= slot < slots for slot in added.aliases.values()):
            raise BundleCorrupt("A delta frame's alias points at no tenant.")
        # Words and names first: records may point at them as soon as they are in.
        self.reasons.extend(added.reasons)
        self.origins.extend(added.origins)
        self.times.extend(added.times)
        self.limits.extend(added.limits)
        self.foreign_ids.extend(added.foreign_ids)
        self._plans.extend(added.plans)
        self._terms.extend(added.terms)
        for tenant in added.tenants:
            name = tenant.encode("ascii")
            self._new_names.append(name)
        self._overlay.update(items)
        first = slots - len(added.tenants)
        for offset, tenant in enumerate(added.tenants):
            self._new_slots[name_key(tenant.encode("ascii"))] = first + offset
        for key, slot in added.aliases.items():
            self._alias_changes[bytes.fromhex(key)] = slot
        self._frames.append(array("I", items))
        self.version = Version(header.epoch, header.number)
        self.created_us, self.as_of_us = header.created_us, header.as_of_us

    def _check_items(self, items: dict[int, bytes], slots: int) -> None:
        if items and max(items) >= slots:
            raise BundleCorrupt("A delta frame changes a tenant that is not there.")
        if any(slot not in items for slot in range(self.tenants, slots)):
            raise BundleCorrupt("A delta frame adds a tenant without a record.")


def open_table(path: Path, key: Ed25519PublicKey) -> Table:
    """Open and verify a base file; nothing is parsed before its signature has been checked.

    Raises
    ------
    SignatureInvalid
        Unsigned, signed by another key, or altered after signing.
    BundleCorrupt, BundleOutdated
        Not what its header says, or of an unknown format.
    OSError
        It cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        raw = os.pread(handle, BASE_HEADER_BYTES, 0)
        if len(raw) < BASE_HEADER_BYTES:
            raise BundleCorrupt(f"{path.name} is cut off.", "The version before stays served.")
        signed, signature = base_signed_bytes(raw)
        try:
            key.verify(signature, signed)
        except InvalidSignature as error:
            raise SignatureInvalid(
                f"{path.name} is not signed by this home's key.",
                "Use the verify key of the home that wrote it, or let the control loop write anew.",
            ) from error
        header = unpack_base_header(raw)
        size = BASE_HEADER_BYTES + header.body_bytes
        if os.fstat(handle).st_size != size or _body_digest(handle, size) != header.digest:
            raise SignatureInvalid(
                f"{path.name} was cut off or altered after signing.",
                "The version before stays served; the control loop's next base replaces it.",
            )
        return Table(header, mmap.mmap(handle, size, access=mmap.ACCESS_READ))
    finally:
        os.close(handle)


def _body_digest(handle: int, size: int) -> bytes:
    # Read, not mapped: hashing through the map would make every page resident in every worker.
    digest = hashlib.sha256()
    at = BASE_HEADER_BYTES
    buffer = bytearray(_CHUNK_BYTES)
    while at < size:
        count = os.preadv(handle, [memoryview(buffer)[: min(_CHUNK_BYTES, size - at)]], at)
        if count == 0:
            break
        digest.update(memoryview(buffer)[:count])
        at += count
    return digest.digest()
