"""One text for one content: canonical JSON and short fingerprints, to tell same from other."""

from __future__ import annotations

import hashlib

import msgspec


def canonical_json(value: object) -> str:
    """``value`` as JSON with sorted keys; equal content gives equal text."""
    return msgspec.json.encode(value, order="sorted").decode()


def fingerprint(*values: object) -> int:
    """A signed 64-bit digest of ``values`` (compared within one ledger only)."""
    text = "\x1f".join(map(repr, values)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)
