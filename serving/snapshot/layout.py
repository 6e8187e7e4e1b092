"""The snapshot's bytes: records, headers and names. The format is described in the reference.

All numbers are little-endian. A snapshot is a *base* file (``.fbs``) plus an append-only file of
signed *frames* (``.fbd``), each of which carries the records that changed since the one before.
"""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass
from hashlib import blake2b, sha256

from flyball.errors import BundleCorrupt, BundleOutdated

FORMAT = 2

#: One decision in 36 bytes. The tenant's id lies in the heap; the record's slot is its name inside
#: a base. In order: decision (the 16 hex digits of its id, or an index with FOREIGN_ID), base
#: limit of the primary meter (0: no plan; an index with LARGE_LIMIT), offset of the tenant's id in
#: the heap, times (index of a decided and a period's end time), terms (index of a plan's limits and
#: a tenant's exceptions from them), upgrade and churn (steps of 1/50,000, or NO_PROBABILITY),
#: served arm (hundredths), reasons (index of a list), origin (index of a model version and policy),
#: length of the id, flags.
RECORD = struct.Struct("<QIIIIHHHHHBB")
RECORD_BYTES = RECORD.size
#: The same bytes as an answer's JSON needs them: what many tenants share (served arm, reasons,
#: origin, length of the id, flags) stays one number.
PARTS = struct.Struct("<QIIIIHHQ")
#: Fields of a record, see :data:`PARTS`.
Parts = tuple[int, int, int, int, int, int, int, int]
#: Where a record says which bytes of the heap are its tenant's id.
NAME_OFFSET_AT = 12
NAME_LENGTH_AT = 34
DELTA_ITEM = struct.Struct(f"<I{RECORD_BYTES}s")
ALIAS = struct.Struct("<16sI")
ALIAS_BYTES = ALIAS.size

#: Index value for "nothing here".
ABSENT = 0xFFFF_FFFF
#: Probabilities are kept in these steps; without a model there is none.
STEPS = 50_000
NO_PROBABILITY = 0xFFFF
#: Bits of ``flags``: the decision's id, or the base limit, lies in the vocabulary.
FOREIGN_ID = 0x80
LARGE_LIMIT = 0x40

DIGEST_BYTES = 32
SIGNATURE_BYTES = 64
MAX_TENANTS = 50_000_000
MAX_FRAME_BYTES = 1 << 30

#: The hash of a name before its first byte, see :func:`name_key`.
name_state = blake2b(digest_size=16, person=b"flyball-name").copy

_BASE = struct.Struct(f"<8sIIIIqqIIIIQQQQQ{DIGEST_BYTES}s")
BASE_MAGIC = b"FLYBSNAP"
BASE_HEADER_BYTES = _BASE.size + SIGNATURE_BYTES

_FRAME = struct.Struct(f"<4sIIIIqqII{DIGEST_BYTES}s{DIGEST_BYTES}s")
FRAME_MAGIC = b"FBD2"
FRAME_HEADER_BYTES = _FRAME.size + SIGNATURE_BYTES

#: In streams only: says that the connection lives, and the server's version. Unsigned, so nothing
#: else is taken from it.
HEARTBEAT = struct.Struct("<4sIII")
HEARTBEAT_MAGIC = b"FBHB"


def name_key(name: bytes) -> bytes:
    """The 16-byte key of a tenant's id or alias. Aliases may be API keys: only keys are stored."""
    state = name_state()  # a copy: a third faster than setting the parameters each time
    state.update(name)
    return state.digest()


def digest_of(body: bytes | memoryview) -> bytes:
    """The digest that a header carries of its body."""
    return sha256(body).digest()


@dataclass(frozen=True, slots=True)
class BaseHeader:
    """What a base file says of itself; ``*_bytes`` are the lengths of its sections, in order.

    ``created_us`` is the wall clock when it was written (freshness is judged by it), ``as_of_us``
    the time that its decisions are of (the same unless the clock follows events).
    """

    epoch: int
    number: int
    created_us: int
    as_of_us: int
    tenants: int
    aliases: int
    homes: int
    flags: int
    records_bytes: int
    index_bytes: int
    alias_bytes: int
    heap_bytes: int
    vocabulary_bytes: int
    digest: bytes

    def pack(self) -> bytes:
        """The bytes that are signed."""
        return _BASE.pack(BASE_MAGIC, FORMAT, BASE_HEADER_BYTES, *astuple(self))

    @property
    def body_bytes(self) -> int:
        """Length of everything after the header."""
        return (
            self.records_bytes
            + self.index_bytes
            + self.alias_bytes
            + self.heap_bytes
            + self.vocabulary_bytes
        )


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What one delta frame says of itself. ``base`` is the digest of the base it builds on."""

    epoch: int
    number: int
    records: int
    created_us: int
    as_of_us: int
    body_bytes: int
    flags: int
    base: bytes
    digest: bytes

    def pack(self) -> bytes:
        """The bytes that are signed."""
        return _FRAME.pack(FRAME_MAGIC, FORMAT, *astuple(self))


def unpack_base_header(raw: bytes) -> BaseHeader:
    """Read a base header whose signature has been checked.

    Raises
    ------
    BundleCorrupt
        Not a snapshot, or its sections do not fit its counts.
    BundleOutdated
        A format number that this version cannot read.
    """
    if len(raw) < _BASE.size:
        raise BundleCorrupt("The snapshot's header is cut off.", "Wait for the next version.")
    magic, number, length, *values = _BASE.unpack_from(raw)
    if magic != BASE_MAGIC:
        raise BundleCorrupt("The file is not a snapshot.", "Check what was put in its place.")
    if number != FORMAT or length != BASE_HEADER_BYTES:
        raise BundleOutdated(
            f"The snapshot has format {number}; this version reads {FORMAT}.",
            "Run the same version of Flyball everywhere; the control loop writes it anew at start.",
        )
    header = BaseHeader(*values)
    sound = (
        header.tenants <= MAX_TENANTS
        and header.records_bytes == header.tenants * RECORD_BYTES
        and header.alias_bytes == header.aliases * ALIAS_BYTES
        and header.index_bytes >= 4 * (header.homes + 1)
        and header.index_bytes % 4 == 0
    )
    if not sound:
        raise BundleCorrupt("The snapshot's sections do not fit its counts.")
    return header


def unpack_frame_header(raw: bytes) -> FrameHeader:
    """Read a frame header; raises BundleCorrupt if these are not one's bytes."""
    magic, number, *values = _FRAME.unpack_from(raw)
    if magic != FRAME_MAGIC or number != FORMAT:
        raise BundleCorrupt("The delta file holds something else than frames.")
    header = FrameHeader(*values)
    if header.body_bytes > MAX_FRAME_BYTES or header.body_bytes < header.records * DELTA_ITEM.size:
        raise BundleCorrupt("A delta frame's length does not fit its counts.")
    return header


def frame_signed_bytes(raw: bytes) -> tuple[bytes, bytes]:
    """Split a frame header's bytes into what is signed and the signature."""
    return raw[: _FRAME.size], raw[_FRAME.size : FRAME_HEADER_BYTES]


def base_signed_bytes(raw: bytes) -> tuple[bytes, bytes]:
    """Split a base header's bytes into what is signed and the signature."""
    return raw[: _BASE.size], raw[_BASE.size : BASE_HEADER_BYTES]
