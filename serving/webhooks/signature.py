"""Signed messages as https://www.standardwebhooks.com describes them (symmetric, ``v1``).

A message carries ``webhook-id`` (the same over all attempts), ``webhook-timestamp`` (seconds, of
this attempt) and ``webhook-signature``: for each secret in use ``v1,`` and the base64 of
HMAC-SHA256 over ``id.timestamp.body``, separated by spaces.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flyball.errors import InvalidInput, SignatureInvalid

PREFIX = "whsec_"
#: Bytes of a secret that the standard allows.
LEAST_BYTES, MOST_BYTES = 24, 64
#: How far the receiver's clock may be from the sender's.
TOLERANCE_S = 300


@dataclass(frozen=True, slots=True)
class Secret:
    """One shared secret of 24..64 bytes; written ``whsec_`` and its base64."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not LEAST_BYTES <= len(self.key) <= MOST_BYTES:
            raise InvalidInput(
                f"A webhook secret has {LEAST_BYTES} to {MOST_BYTES} bytes, not {len(self.key)}.",
                "`flyball webhook secret --rotate` makes one.",
                field="secret",
            )

    def text(self) -> str:
        """As receivers are told it."""
        return PREFIX + base64.b64encode(self.key).decode("ascii")


def new_secret() -> Secret:
    """A random one of 32 bytes."""
    return Secret(secrets.token_bytes(32))


def secret_from(text: str) -> Secret:
    """Read ``whsec_...``; raises InvalidInput, which does not repeat what was given."""
    text = text.strip()
    try:
        if not text.startswith(PREFIX):
            raise ValueError
        return Secret(base64.b64decode(text.removeprefix(PREFIX), validate=True))
    except (ValueError, binascii.Error) as error:
        raise InvalidInput(
            "A webhook secret is written whsec_ and base64.",
            "`flyball webhook secret --rotate` makes one.",
            field="secret",
        ) from error


def sign(keys: Sequence[Secret], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of ``webhook-signature``: one signature for each secret, the newest first."""
    return " ".join(f"v1,{_signature(key, message_id, timestamp_s, body)}" for key in keys)


def headers(
    keys: Sequence[Secret], message_id: str, timestamp_s: int, body: bytes
) -> dict[str, str]:
    """The three headers of one attempt."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": sign(keys, message_id, timestamp_s, body),
    }


def verify(keys: Sequence[Secret], given: Mapping[str, str], body: bytes, *, now_s: float) -> str:
    """What a receiver does; the message's id.

    Parameters
    ----------
    given:
        Headers by lower-case name.

    Raises
    ------
    SignatureInvalid
        A header is missing, no signature fits, or the time is off by more than five minutes.
    """
    try:
        message_id, stamp = given["webhook-id"], int(given["webhook-timestamp"])
        signatures = given["webhook-signature"].split(" ")
    except (KeyError, ValueError) as error:
        raise SignatureInvalid("The message lacks a Standard Webhooks header.") from error
    if abs(now_s - stamp) > TOLERANCE_S:
        raise SignatureInvalid("The message's time is too far from now.", "Check both clocks.")
    expected = [_signature(key, message_id, stamp, body) for key in keys]
    for signature in signatures:
        version, _, value = signature.partition(",")
        if version == "v1" and any(_same(value, each) for each in expected):
            return message_id
    raise SignatureInvalid("No signature of the message fits.", "Check the shared secret.")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("ascii"))


def _signature(key: Secret, message_id: str, timestamp_s: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return base64.b64encode(hmac.digest(key.key, signed, "sha256")).decode("ascii")
