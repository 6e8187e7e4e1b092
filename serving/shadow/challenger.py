"""The challenger that is in place, and for whom it decides; watched, so that no restart is needed.

It lies in ``challenger/`` as the champion lies in ``bundles/``: signed directories and a pointer.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from features.catalogue import feature_hash
from flyball.canary import CanarySettings
from flyball.errors import FlyballError, StorageError
from flyball.home import Home
from ledger.notice import NoticeKind, Severity
from ledger.sqlite_ledger import SqliteLedger
from models.bundle import Bundle
from models.current import open_current, read_current
from models.manifest import Manifest
from models.scorer import Scorer
from models.signature import load_public_key
from serving.clock import wall_us
from serving.file_stamp import file_stamp, pointer_stamp
from serving.rules import check_bundle
from serving.settings import Settings, load_settings

#: The audit's word for a model that was taken back because it did harm.
WITHDRAWN = "model.withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Who is decided by the challenger in one pass, and by what."""

    settings: CanarySettings
    scorer: Scorer

    @property
    def manifest(self) -> Manifest:
        """The challenger's."""
        return self.scorer.manifest


def why_not(manifest: Manifest, ledger: SqliteLedger) -> str:
    """Why a bundle must not decide for anybody; empty if it may.

    The gates stand in the signed manifest, so nobody can call them passed but who signs bundles.
    """
    verdicts = {str(gate.get("name")): str(gate.get("verdict")) for gate in manifest.gates}
    failed = sorted(name for name, verdict in verdicts.items() if verdict == "failed")
    if failed:
        return f"its gates failed: {', '.join(failed)}"
    if verdicts.get("evidence") != "passed":
        return "its gates have not passed: too little evidence to judge it"
    if any(entry.action == WITHDRAWN for entry in ledger.audit(target=manifest.version)):
        return "it was withdrawn because it did harm"
    return ""


class Challenger:
    """What lies in ``challenger/`` and what ``[canary]`` says, as of the last :meth:`follow`.

    Parameters
    ----------
    settings:
        As read at the start; ``[canary]`` alone is read again whenever the file changes.
    """

    def __init__(self, home: Home, settings: Settings, ledger: SqliteLedger) -> None:
        self._home = home
        self._settings = settings
        self._ledger = ledger
        self._log = structlog.get_logger("serving.shadow")
        self._wanted = settings.canary
        self._settings_stamp = file_stamp(home.settings)
        self._pointer_stamp: tuple[int, int] | None = None
        self.bundle: Bundle | None = None
        self.scorer: Scorer | None = None
        #: Why the canary does not decide although a share is set; empty where it does or need not.
        self.refused = ""

    def canary(self) -> Canary | None:
        """Whom the challenger decides for now; None for nobody."""
        if self.scorer is None or self._wanted.share == 0.0 or self.refused:
            return None
        return Canary(settings=self._wanted, scorer=self.scorer)

    def follow(self) -> bool:
        """Look at both files; whether everyone must be looked at anew.

        So it is where someone's model is another one now, and where a challenger was opened: it is
        then asked about everyone at once, and not as each tenant's turn comes within the hour.
        """
        before = self._deciding()
        moved = self._follow_pointer()
        if self._follow_settings() or moved:
            self._judge()
        return self._deciding() != before or (moved and self.scorer is not None)

    def _deciding(self) -> tuple[CanarySettings, str] | None:
        canary = self.canary()
        return None if canary is None else (canary.settings, canary.manifest.version)

    def _follow_settings(self) -> bool:
        stamp = file_stamp(self._home.settings)
        if stamp == self._settings_stamp:
            return False
        self._settings_stamp = stamp
        try:
            self._wanted = load_settings(self._home.settings).canary
        except FlyballError as error:
            # What is wrong cannot be obeyed, and a trial is not worth guessing: it ends.
            self._wanted = CanarySettings()
            self._log.error("canary_ends", error=str(error))
        return True

    def _follow_pointer(self) -> bool:
        stamp = pointer_stamp(self._home.challenger)
        if stamp == self._pointer_stamp:
            return False
        self._pointer_stamp = stamp
        self.bundle = self.scorer = None
        try:
            self.bundle = open_challenger(self._home, self._settings)
            if self.bundle is not None:
                self.scorer = Scorer(self.bundle, threads=self._settings.decisions.threads)
                self._log.info("challenger_opened", version=self.bundle.version)
        except FlyballError as error:
            self._log.error("challenger_refused", error=str(error))
        return True

    def _judge(self) -> None:
        self.refused = ""
        if self._wanted.share == 0.0:
            return
        self.refused = (
            "there is none" if self.bundle is None else why_not(self.bundle.manifest, self._ledger)
        )
        if self.refused:
            self._log.warning("canary_refused", why=self.refused)
            self._tell()

    def _tell(self) -> None:
        version = "challenger" if self.bundle is None else self.bundle.version
        try:
            self._ledger.raise_notice(
                NoticeKind.CANARY_REFUSED,
                Severity.WARNING,
                subject=version,
                message=f"canary.share is {self._wanted.share:g}, but nobody is decided by the "
                f"challenger: {self.refused}.",
                author="control loop",
                now_us=wall_us(),
            )
        except StorageError as error:
            self._log.error("not_told", error=str(error))


def open_challenger(home: Home, settings: Settings, *, probe: bool = True) -> Bundle | None:
    """The challenger in place, verified and tried (``probe``); None where there is none.

    Raises
    ------
    BundleError
        It must not be used.
    InvalidInput
        It was trained for other periods than are configured.
    """
    if read_current(home.challenger) is None:
        return None
    bundle = open_current(
        home.challenger,
        load_public_key(home.verify_key),
        feature_hash=feature_hash(),
        probe=probe,
    )
    if bundle is not None:
        check_bundle(bundle, settings)
    return bundle
