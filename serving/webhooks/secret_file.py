"""``keys/webhook.secrets``: the secrets that messages are signed with, one a line, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flyball.errors import StorageError
from ledger.durable_file import storage_error, write_durably
from serving.webhooks.signature import Secret, new_secret, secret_from

#: Secrets signed with at once: the new one, and the one that receivers still know.
MOST_SECRETS = 2


def read_secrets(path: Path) -> tuple[Secret, ...]:
    """The secrets in use; empty where none was made.

    Raises
    ------
    InvalidInput
        A line is not a secret.
    StorageError
        The file cannot be read.
    """
    try:
        text = path.read_text("ascii")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} cannot be read.", "Check its owner and mode.") from error
    return tuple(secret_from(line) for line in text.splitlines() if line.strip())


def ensure_secrets(path: Path) -> tuple[Secret, ...]:
    """The secrets in use, one made now where there was none."""
    return read_secrets(path) or rotate_secret(path)


def rotate_secret(path: Path) -> tuple[Secret, ...]:
    """Sign with a new secret; the one before goes on signing too, until the next rotation."""
    kept = (new_secret(), *read_secrets(path))[:MOST_SECRETS]
    _write(path, kept)
    return kept


def _write(path: Path, kept: Sequence[Secret]) -> None:
    content = "".join(f"{secret.text()}\n" for secret in kept).encode("ascii")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, content, mode=0o600)
    except OSError as error:
        raise storage_error(error, path) from error
