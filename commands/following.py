"""What ``flyball serve --follow`` needs besides the workers: the trusted key and the mirror."""

from __future__ import annotations

import shutil
from pathlib import Path

from flyball.errors import InvalidInput, Refused
from flyball.home import Home
from serving.snapshot.disk import storage_errors
from serving.snapshot.upstream import Upstream
from serving.supervisor import ChildSpec


def prepare_mirror(home: Home, url: str, key: Path | None) -> None:
    """Check the address and put the public key of the home that publishes in its place.

    Raises
    ------
    InvalidInput
        The address or the key cannot be used.
    Refused
        This home publishes decisions of its own.
    """
    from models.signature import load_public_key

    Upstream(url)
    if home.signing_key.exists():
        raise Refused(
            f"{home.root} has a signing key: it publishes decisions of its own.",
            "Follow from another --home.",
        )
    if key is not None:
        load_public_key(key)
        with storage_errors(home.verify_key):
            home.verify_key.parent.mkdir(parents=True, exist_ok=True)
            if key.resolve() != home.verify_key.resolve():
                shutil.copyfile(key, home.verify_key)
    elif not home.verify_key.exists():
        raise InvalidInput(
            "What is followed must be signed by a key that is trusted here, and there is none.",
            "Give --follow-key with a copy of keys/signing.pub of the home that publishes.",
            field="follow_key",
        )


def mirror_child(home: Home, url: str, token_file: Path | None) -> ChildSpec:
    """The process that mirrors the service at ``url``."""
    token = () if token_file is None else ("--token-file", str(token_file))
    return ChildSpec(
        name="mirror",
        argv=(
            *("-m", "serving.mirror_process", "--home", str(home.root), "--follow", url),
            *token,
        ),
    )
