"""The publisher: what the registry calls champion becomes the bundle that serving sees.

The registry's alias is the source of truth and is polled (MLflow's webhooks fire only through its
server). Moving it back to an older version, by ``flyball rollback`` or in MLflow's pages, is a
decision somebody made, so an older bundle is accepted; an unsigned one or one whose gates did not
pass is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from flyball.errors import FlyballError, Refused
from flyball.home import Home
from models.current import publish, read_current
from models.signature import load_public_key
from training.challenger import follow_challenger
from training.registry import CHAMPION, RegisteredVersion, Registry
from training.tracking import store_of

POLL_SECONDS = 5.0
#: Seconds between looks for harm.
GUARD_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What one look at the registry led to; ``changed`` if the pointer moved."""

    version: int | None
    bundle: str
    changed: bool
    words: str


def publish_champion(home: Home, feature_hash: str) -> Publication:
    """Put the champion where serving sees it, if it is not there yet.

    Raises
    ------
    Refused
        The alias names a version without passed gates; serving keeps what it has.
    SignatureInvalid, BundleCorrupt, BundleOutdated, NotFound, StorageError
        The bundle cannot be used; serving keeps what it has.
    """
    registry = Registry(store_of(home))
    champion = registry.holder(CHAMPION)
    current = read_current(home.bundles)
    if champion is None:
        return Publication(
            version=None, bundle="", changed=False, words="there is no champion; nothing published"
        )
    _check(champion)
    if current is not None and current.version == champion.bundle:
        return _publication(champion, changed=False, words="is in use already")
    with registry.bundle(champion.version) as directory:
        publish(
            directory,
            home.bundles,
            load_public_key(home.verify_key),
            published_us=time.time_ns() // 1000,
            rollback=True,
            feature_hash=feature_hash,
        )
    return _publication(champion, changed=True, words="published")


def watch(
    home: Home,
    feature_hash: str,
    *,
    stop: Event,
    tell: Callable[[str], None],
    poll_seconds: float = POLL_SECONDS,
    guard: Callable[[], object] = lambda: None,
) -> None:
    """Publish whatever becomes champion until ``stop`` is set; errors are told and retried.

    The same words are told once, not every few seconds. ``guard`` is called every minute.
    """
    said, tried, guarded = "", "", 0.0
    while not stop.is_set():
        try:
            words = publish_champion(home, feature_hash).words
        except FlyballError as error:
            words = f"not published: {error}"
        if words != said:
            tell(words)
            said = words
        trial = _follow(home, feature_hash)
        if trial not in ("", tried):
            tell(trial)
        tried = trial
        if time.monotonic() - guarded >= GUARD_SECONDS:
            guarded = time.monotonic()
            try:
                guard()
            except FlyballError as error:
                tell(f"not watched for harm: {error}")
        stop.wait(poll_seconds)


def _follow(home: Home, feature_hash: str) -> str:
    try:
        return follow_challenger(home, feature_hash)
    except FlyballError as error:
        return f"challenger not followed: {error}"


def _check(champion: RegisteredVersion) -> None:
    if champion.gates != "passed":
        raise Refused(
            f"Version {champion.version} is called champion but its gates have not passed "
            f"({champion.gates or 'never judged'}); it is not published.",
            "Move the alias back with `flyball promote VERSION`.",
        )


def _publication(champion: RegisteredVersion, *, changed: bool, words: str) -> Publication:
    return Publication(
        version=champion.version,
        bundle=champion.bundle,
        changed=changed,
        words=f"version {champion.version} ({champion.bundle}) {words}",
    )
