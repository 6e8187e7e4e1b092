"""The model registry: one registered model whose artefact is the signed bundle directory."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flyball.errors import NotFound, Refused
from training.tracking import Store, store_exists, tracking

MODEL_NAME = "flyball"
CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"

_GATES = "gates"
_BUNDLE = "bundle"
_HASH = "feature_hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersion:
    """One version in the registry.

    ``gates`` is ``passed``, ``failed``, ``insufficient`` or empty; ``bundle`` the bundle's name.
    """

    version: int
    bundle: str
    gates: str
    feature_hash: str
    created_us: int
    run_id: str
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed_gates(self) -> list[str]:
        """Names of the gates that failed."""
        return sorted(
            name.removeprefix("gate.")
            for name, verdict in self.tags.items()
            if name.startswith("gate.") and verdict.startswith("failed")
        )


class Registry:
    """Versions and aliases in one MLflow store.

    Every method opens MLflow for itself, so an idle registry holds nothing.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def versions(self) -> list[RegisteredVersion]:
        """All versions, newest first; empty before the first training."""
        if not store_exists(self._store):
            return []
        with tracking(self._store) as client:
            aliases = self._aliases(client)
            found = client.search_model_versions(f"name = '{MODEL_NAME}'", max_results=1000)
            versions = [_version(each, aliases) for each in found]
        return sorted(versions, key=lambda each: -each.version)

    def version(self, number: int) -> RegisteredVersion:
        """One version; raises NotFound."""
        for each in self.versions():
            if each.version == number:
                return each
        raise NotFound(f"There is no version {number}.", "`flyball models` lists what there is.")

    def holder(self, alias: str) -> RegisteredVersion | None:
        """The version that an alias names; None if nobody holds it."""
        return next((each for each in self.versions() if alias in each.aliases), None)

    def promote(self, number: int, feature_hash: str) -> RegisteredVersion:
        """Make a version champion; the champion before it becomes ``previous``.

        Raises
        ------
        Refused
            Its gates have not passed, or it was trained on other feature definitions.
        NotFound
            There is no such version.
        """
        chosen = self.version(number)
        _check_promotable(chosen, feature_hash)
        champion = self.holder(CHAMPION)
        if champion is not None and champion.version == number:
            return champion
        with tracking(self._store) as client:
            if champion is not None:
                client.set_registered_model_alias(MODEL_NAME, PREVIOUS, str(champion.version))
            client.set_registered_model_alias(MODEL_NAME, CHAMPION, str(number))
            if CHALLENGER in chosen.aliases:
                client.delete_registered_model_alias(MODEL_NAME, CHALLENGER)
        return self.version(number)

    def rollback(self, feature_hash: str) -> tuple[RegisteredVersion, RegisteredVersion]:
        """Swap ``champion`` and ``previous``; returns (champion now, champion before).

        Raises
        ------
        NotFound
            There is no champion, or nothing to go back to.
        Refused
            What would come back was trained on other feature definitions.
        """
        champion, previous = self.holder(CHAMPION), self.holder(PREVIOUS)
        if champion is None or previous is None:
            raise NotFound(
                "There is no earlier champion to go back to.",
                "`flyball models` lists versions; `flyball promote VERSION` picks one.",
            )
        _check_promotable(previous, feature_hash)
        with tracking(self._store) as client:
            client.set_registered_model_alias(MODEL_NAME, CHAMPION, str(previous.version))
            client.set_registered_model_alias(MODEL_NAME, PREVIOUS, str(champion.version))
        return self.version(previous.version), champion

    def withdraw(self, number: int, why: str, feature_hash: str) -> RegisteredVersion | None:
        """Mark a version as doing harm, for good, and let ``previous`` be champion again.

        It counts as failed from now on: promoting and publishing refuse it. Returns the champion
        now; None where there was no earlier one that may come back.
        """
        champion, previous = self.holder(CHAMPION), self.holder(PREVIOUS)
        able = (
            previous is not None
            and previous.version != number
            and previous.gates == "passed"
            and previous.feature_hash == feature_hash
        )
        with tracking(self._store) as client:
            client.set_model_version_tag(MODEL_NAME, str(number), _GATES, "failed")
            client.set_model_version_tag(
                MODEL_NAME, str(number), "gate.live_harm", f"failed: {why}"[:400]
            )
            if champion is not None and champion.version == number:
                if able and previous is not None:
                    client.set_registered_model_alias(MODEL_NAME, CHAMPION, str(previous.version))
                else:
                    client.delete_registered_model_alias(MODEL_NAME, CHAMPION)
                if previous is not None:
                    client.delete_registered_model_alias(MODEL_NAME, PREVIOUS)
        return self.holder(CHAMPION)

    def challenge(self, number: int) -> None:
        """Name a version ``challenger``."""
        with tracking(self._store) as client:
            client.set_registered_model_alias(MODEL_NAME, CHALLENGER, str(number))

    @contextmanager
    def bundle(self, number: int) -> Iterator[Path]:
        """Download the bundle directory of a version; it is removed on leaving.

        Raises
        ------
        NotFound
            The version's artefact is gone or holds no bundle.
        """
        folder = Path(tempfile.mkdtemp(prefix="flyball-bundle-"))
        try:
            with tracking(self._store):
                found = _download(number, folder)
            yield found
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _aliases(self, client: Any) -> dict[str, list[str]]:
        from mlflow.exceptions import MlflowException

        try:
            named: Mapping[str, str] = client.get_registered_model(MODEL_NAME).aliases
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return {}
            raise
        by_version: dict[str, list[str]] = {}
        for alias, version in named.items():
            by_version.setdefault(str(version), []).append(alias)
        return by_version


def _check_promotable(chosen: RegisteredVersion, feature_hash: str) -> None:
    if chosen.gates != "passed":
        failed = ", ".join(chosen.failed_gates)
        raise Refused(
            f"Version {chosen.version} has not passed its gates"
            + (f": {failed} failed." if failed else f" ({chosen.gates or 'never judged'})."),
            "See `flyball models`; train again with more data.",
        )
    if chosen.feature_hash != feature_hash:
        raise Refused(
            f"Version {chosen.version} was trained on other feature definitions "
            f"({chosen.feature_hash}) than this version computes ({feature_hash}).",
            "Train again with `flyball train`.",
        )


def _version(found: Any, aliases: Mapping[str, Sequence[str]]) -> RegisteredVersion:
    tags = dict(found.tags)
    return RegisteredVersion(
        version=int(found.version),
        bundle=tags.get(_BUNDLE, ""),
        gates=tags.get(_GATES, ""),
        feature_hash=tags.get(_HASH, ""),
        created_us=int(found.creation_timestamp) * 1000,
        run_id=str(found.run_id or ""),
        aliases=tuple(sorted(aliases.get(str(found.version), ()))),
        tags=tags,
    )


def _download(number: int, folder: Path) -> Path:
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    try:
        local = Path(
            mlflow.artifacts.download_artifacts(
                artifact_uri=f"models:/{MODEL_NAME}/{number}", dst_path=str(folder)
            )
        )
    except (MlflowException, OSError) as error:
        raise NotFound(
            f"The artefact of version {number} cannot be fetched.",
            "Check the registry's artefact store.",
        ) from error
    found = sorted(path.parent for path in local.glob("data/*/SIGNATURE"))
    if len(found) != 1:
        raise NotFound(f"Version {number} holds no bundle.", "Promote another version.")
    return found[0]


def version_tags(
    bundle: str, feature_hash: str, gates: str, verdicts: Mapping[str, str]
) -> dict[str, str]:
    """Tags of a model version; ``verdicts`` maps gate names to what they said."""
    named = {f"gate.{tag_name(name)}": verdict for name, verdict in verdicts.items()}
    return {_BUNDLE: bundle, _HASH: feature_hash, _GATES: gates, **named}


def tag_name(name: str) -> str:
    """``name`` with everything that a tag or metric may not hold replaced by ``_``."""
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", name)[:200]
