"""Which names the outside may give to tenants, plans, meters and events.

An identifier ends up in file names, URLs, metrics and pages. So it is short, printable, has no
path parts and no direction marks, and is compared byte by byte after NFC normalisation.
"""

from __future__ import annotations

import re
import unicodedata

from flyball.errors import InvalidInput

MAX_IDENTIFIER_CHARS = 128
MAX_LABEL_CHARS = 256

# No slash, no backslash, no control, no white space; "." and ".." alone are refused below.
_IDENTIFIER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@|+=~-]*", re.ASCII)
_WORD = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*", re.ASCII)


def check_identifier(value: object, *, field: str) -> str:
    """Return ``value`` if it can name a tenant, event, decision or alias.

    Allowed are 1-128 ASCII letters, digits and ``_ . : @ | + = ~ -``, starting with a letter, digit
    or underscore, without ``..``.

    Raises
    ------
    InvalidInput
        With ``code="bad_identifier"``.
    """
    if (
        not isinstance(value, str)
        or len(value) > MAX_IDENTIFIER_CHARS
        or not _IDENTIFIER.fullmatch(value)
        or ".." in value
    ):
        raise InvalidInput(
            f"{field} {str(value)[:64]!r} cannot be used as an identifier.",
            "Use 1-128 ASCII letters, digits and _.:@|+=~- (no slashes, spaces or '..').",
            field=field,
            code="bad_identifier",
        )
    return value


def check_word(value: object, *, field: str) -> str:
    """Return ``value`` if it is a lower-case dotted word such as ``api.requests``."""
    if not isinstance(value, str) or len(value) > 64 or not _WORD.fullmatch(value):
        raise InvalidInput(
            f"{field} {str(value)[:64]!r} is not a lower-case dotted word.",
            "Write it like api.requests.",
            field=field,
            code="bad_word",
        )
    return value


def check_label(value: object, *, field: str) -> str:
    """Return ``value`` (NFC) if it can be shown to people: no control or direction characters."""
    if not isinstance(value, str) or len(value) > MAX_LABEL_CHARS:
        raise InvalidInput(
            f"{field} must be text of at most {MAX_LABEL_CHARS} characters.",
            field=field,
            code="bad_label",
        )
    normal = unicodedata.normalize("NFC", value)
    # Cc: control, Cf: format (right-to-left overrides, zero-width), Cs: lone surrogates.
    if any(unicodedata.category(char) in {"Cc", "Cf", "Cs"} for char in normal):
        raise InvalidInput(
            f"{field} contains control or direction characters.",
            "Remove them; plain text of any script is fine.",
            field=field,
            code="bad_label",
        )
    return normal
