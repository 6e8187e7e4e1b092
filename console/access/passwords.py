"""Passwords: argon2id with the library's current parameters (RFC 9106, low memory)."""

from __future__ import annotations

import threading
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from flyball.errors import InvalidInput

MIN_CHARS = 10
MAX_CHARS = 256

_HASHER = PasswordHasher()
#: A guess costs 64 MiB for a moment; many at once must not take the machine down.
_AT_ONCE = threading.BoundedSemaphore(2)


def check_password(password: str) -> str:
    """The password if it is long enough; raises InvalidInput otherwise."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise InvalidInput(
            f"A password has {MIN_CHARS} to {MAX_CHARS} characters.",
            "Several words are easier to remember than signs.",
            field="password",
        )
    return password


def hash_password(password: str) -> str:
    """What is kept of a password."""
    with _AT_ONCE:
        return _HASHER.hash(check_password(password))


def matches(stored: str, password: str) -> bool:
    """Whether ``password`` is the one; takes as long where there is none to compare with."""
    with _AT_ONCE:
        try:
            right = _HASHER.verify(stored or _nobodys(), password[:MAX_CHARS])
        except (VerificationError, InvalidHashError):
            return False
    return right and bool(stored)


def outdated(stored: str) -> bool:
    """Whether the parameters have been raised since."""
    return _HASHER.check_needs_rehash(stored)


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _HASHER.hash("nobody has this password")
