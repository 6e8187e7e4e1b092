"""Delta frames: the records that changed since the frame before, signed, in one append."""

from __future__ import annotations

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from flyball.errors import BundleCorrupt, SignatureInvalid
from serving.snapshot.layout import (
    DELTA_ITEM,
    FRAME_HEADER_BYTES,
    FrameHeader,
    digest_of,
    frame_signed_bytes,
    unpack_frame_header,
)
from serving.snapshot.limit_word import PlanWord, TermsWord


class Additions(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a frame adds besides records; slots of new tenants follow those already there.

    ``aliases`` maps the hex of a name's key to a tenant's slot, or to None when it is taken back.
    """

    reasons: list[tuple[str, ...]] = []
    origins: list[tuple[str, str]] = []
    times: list[tuple[int, int]] = []
    limits: list[int] = []
    foreign_ids: list[str] = []
    plans: list[PlanWord] = []
    terms: list[TermsWord] = []
    tenants: list[str] = []
    aliases: dict[str, int | None] = {}


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Additions)


class Frame(msgspec.Struct, frozen=True):
    """One verified frame: ``records`` are ``DELTA_ITEM`` tuples laid end to end."""

    header: FrameHeader
    records: memoryview
    additions: Additions


def pack_frame(
    key: Ed25519PrivateKey,
    *,
    epoch: int,
    number: int,
    base: bytes,
    created_us: int,
    as_of_us: int,
    records: bytes,
    additions: Additions,
) -> bytes:
    """The bytes of a frame: header, signature, records (items laid end to end), additions."""
    body = records + _ENCODER.encode(additions)
    header = FrameHeader(
        epoch=epoch,
        number=number,
        records=len(records) // DELTA_ITEM.size,
        created_us=created_us,
        as_of_us=as_of_us,
        body_bytes=len(body),
        flags=0,
        base=base,
        digest=digest_of(body),
    ).pack()
    return header + key.sign(header) + body


def frame_length(raw: bytes) -> int | None:
    """Whole length of the frame that starts ``raw``; None while its header is incomplete.

    Raises
    ------
    BundleCorrupt
        These are not a frame's bytes.
    """
    if len(raw) < FRAME_HEADER_BYTES:
        return None
    return FRAME_HEADER_BYTES + unpack_frame_header(raw).body_bytes


def open_frame(key: Ed25519PublicKey, raw: bytes) -> Frame:
    """Verify and split one whole frame.

    Raises
    ------
    SignatureInvalid
        Signed by another key, or altered.
    BundleCorrupt
        Signed, but its parts do not fit.
    """
    signed, signature = frame_signed_bytes(raw)
    try:
        key.verify(signature, signed)
    except InvalidSignature as error:
        raise SignatureInvalid(
            "A delta frame is not signed by this home's key.",
            "The version before stays served; restart the control loop to write a new base.",
        ) from error
    header = unpack_frame_header(raw)
    body = memoryview(raw)[FRAME_HEADER_BYTES : FRAME_HEADER_BYTES + header.body_bytes]
    if len(body) != header.body_bytes or digest_of(body) != header.digest:
        raise SignatureInvalid("A delta frame was altered after signing.")
    split = header.records * DELTA_ITEM.size
    try:
        additions = _DECODER.decode(body[split:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BundleCorrupt(f"A delta frame's additions cannot be read: {error}.") from error
    return Frame(header, body[:split], additions)
