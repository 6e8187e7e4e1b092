"""The model that decides: what the publisher of bundles has put in place."""

from __future__ import annotations

import structlog

from flyball.errors import BundleError, FlyballError
from flyball.home import Home
from models.bundle import Bundle
from models.scorer import Scorer
from serving.deciding import current_bundle, scorer_of
from serving.file_stamp import pointer_stamp
from serving.settings import Settings


class Champion:
    """The bundle in force and its scorer, as of the last :meth:`follow`; None without a bundle.

    What cannot be opened is refused, and the one before goes on deciding.
    """

    def __init__(self, home: Home, settings: Settings) -> None:
        self._home = home
        self._settings = settings
        self._log = structlog.get_logger("serving.control_loop")
        self._stamp: tuple[int, int] | None = None
        self.bundle: Bundle | None = None
        self.scorer: Scorer | None = None

    def follow(self) -> bool:
        """Look at what is in place; whether it is another bundle now."""
        stamp = pointer_stamp(self._home.bundles)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        kept = self.bundle and self.bundle.version
        try:
            bundle = current_bundle(self._home, self._settings, serving=self.bundle)
        except FlyballError as error:
            self._log.error("bundle_refused", error=str(error), kept=kept)
            return False
        if (bundle and bundle.version) == kept:
            return False
        try:
            self.scorer = scorer_of(bundle, self._settings)
        except BundleError as error:
            self._log.error("bundle_refused", error=str(error), kept=kept)
            return False
        self.bundle = bundle
        self._log.info("bundle_opened", version=bundle and bundle.version)
        return True
