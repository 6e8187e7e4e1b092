"""The tokens' digests in a file, so that the data path needs no database to know a friend.

``keys/tokens.json`` holds a list of ``{"digest", "role", "name", "expires_us"}``: SHA-256 in hex of
every token that is not revoked. It is written anew whenever one is made or revoked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ledger.durable_file import storage_error, write_durably


def write_token_file(path: Path, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows ``(digest, role, name, expires_us)`` to ``path``, readable by its owner only."""
    entries = [
        {"digest": digest, "role": role, "name": name, "expires_us": expires_us}
        for digest, role, name, expires_us in rows
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, msgspec.json.encode(entries), mode=0o600)
    except OSError as error:
        raise storage_error(error, path) from error
