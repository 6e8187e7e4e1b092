"""Names of event sources. CloudEvents makes them URI references, so slashes are fine here."""

from __future__ import annotations

import re

from flyball.errors import InvalidInput

#: Where events come from that do not say.
DEFAULT_SOURCE = "import"

#: The same rule in Python and in DuckDB (RE2): 1-256 characters that a URI reference may have.
SOURCE_PATTERN = r"[A-Za-z0-9_.:@|+=~/?#%&,;!$'()*\[\]-]{1,256}"

_SOURCE = re.compile(SOURCE_PATTERN, re.ASCII)


def check_source(value: object) -> str:
    """Return ``value`` if it can name an event source.

    It is part of an event's identity only and never becomes part of a path.

    Raises
    ------
    InvalidInput
        With ``code="bad_identifier"``.
    """
    if not isinstance(value, str) or not _SOURCE.fullmatch(value):
        raise InvalidInput(
            f"source {str(value)[:64]!r} cannot name an event source.",
            "Use 1-256 characters of a URI reference, without spaces.",
            field="source",
            code="bad_identifier",
        )
    return value
