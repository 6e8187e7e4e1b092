"""What people write at some length: several lines of any script, nothing that hides or reorders."""

from __future__ import annotations

import unicodedata

from flyball.errors import InvalidInput

MAX_PROSE_CHARS = 2_000

#: Joiners that scripts and emoji need; other format characters turn text round or hide it.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


def check_prose(value: str, *, field: str, most: int = MAX_PROSE_CHARS) -> str:
    """Return ``value`` (NFC, stripped, lines ended by ``\\n``), which must not be blank.

    Raises
    ------
    InvalidInput
        Empty, longer than ``most`` characters, or with control or direction characters.
    """
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if not text:
        raise InvalidInput(
            "There is nothing here yet.", "Write a few words.", field=field, code="missing_field"
        )
    if len(text) > most:
        raise InvalidInput(
            f"This has {len(text):,} characters.", f"At most {most:,} are kept: shorten it.",
            field=field, code="too_long",
        )  # fmt: skip
    if any(_hidden(char) for char in text):
        raise InvalidInput(
            "This contains control or direction characters.",
            "Remove them; plain text of any script is fine.",
            field=field, code="bad_label",
        )  # fmt: skip
    return text


def _hidden(char: str) -> bool:
    if char in "\n\t" or char in _JOINERS:
        return False
    return unicodedata.category(char) in {"Cc", "Cf", "Cs"}
