"""The challenger: what the registry's alias names is put where serving tries it."""

from __future__ import annotations

import time

from flyball.errors import NotFound, Refused
from flyball.home import Home
from models.current import Pointer, publish, read_current, unpublish
from models.signature import load_public_key
from training.registry import CHALLENGER, RegisteredVersion, Registry
from training.tracking import store_of

_HARM = "gate.live_harm"


def place_challenger(home: Home, feature_hash: str) -> Pointer:
    """Put the holder of the alias ``challenger`` beside the champion.

    Raises
    ------
    NotFound
        Nobody holds the alias.
    Refused
        It was withdrawn because it did harm.
    SignatureInvalid, BundleCorrupt, BundleOutdated, StorageError
        The bundle cannot be used; what was in place stays.
    """
    registry = Registry(store_of(home))
    holder = registry.holder(CHALLENGER)
    if holder is None:
        raise NotFound(
            "No version is called challenger.",
            "Train with --no-promote, set the alias in MLflow, or give --bundle DIRECTORY.",
        )
    return _place(home, registry, holder, feature_hash)


def follow_challenger(home: Home, feature_hash: str) -> str:
    """Move or end a trial that came from the registry as its alias does; what happened, or "".

    A bundle that was placed from a directory is left alone, and without a trial nothing is placed.
    """
    current = read_current(home.challenger)
    if current is None:
        return ""
    registry = Registry(store_of(home))
    versions = registry.versions()
    if current.version not in {each.bundle for each in versions}:
        return ""
    holder = next((each for each in versions if CHALLENGER in each.aliases), None)
    if holder is None:
        unpublish(home.challenger)
        return f"{current.version} is challenger no more; its trial has ended"
    if holder.bundle == current.version:
        return ""
    _place(home, registry, holder, feature_hash)
    return f"version {holder.version} ({holder.bundle}) is tried as challenger"


def _place(home: Home, registry: Registry, holder: RegisteredVersion, feature_hash: str) -> Pointer:
    if holder.tags.get(_HARM, "").startswith("failed"):
        raise Refused(
            f"Version {holder.version} was withdrawn because it did harm.",
            "Train another one.",
        )
    with registry.bundle(holder.version) as directory:
        return publish(
            directory,
            home.challenger,
            load_public_key(home.verify_key),
            published_us=time.time_ns() // 1000,
            rollback=True,
            feature_hash=feature_hash,
        )
