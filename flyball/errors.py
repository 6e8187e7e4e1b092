"""Every error that Flyball raises on purpose.

::

    FlyballError
    ├── InvalidInput          a caller's value cannot be used          (HTTP 400/422, exit 2)
    ├── NotFound              the named thing does not exist           (HTTP 404, exit 2)
    ├── Conflict              it exists already, with other content    (HTTP 409, exit 2)
    ├── Refused               a rule or a gate says no                 (HTTP 409, exit 3)
    ├── StorageError          the home cannot hold or give the data    (HTTP 503, exit 4)
    │   ├── StorageFull       no space left
    │   ├── ReadOnlyHome      the home cannot be written
    │   └── HomeInUse         another process serves this home
    └── BundleError           a bundle or snapshot must not be used    (exit 5)
        ├── SignatureInvalid  unsigned, wrongly signed or altered
        ├── BundleCorrupt     signed, but not what its manifest says
        └── BundleOutdated    older than what is served, or of an unknown format

Expected refusals inside a decision (an arm not offered, too little evidence) are values with a
reason, never exceptions.
"""

from __future__ import annotations


class FlyballError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    message:
        What is wrong, in one sentence that names the value.
    hint:
        What to do next, in one sentence; empty when the message says it all.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInput(FlyballError):
    """A caller's value cannot be used; ``field`` names it and ``code`` is stable for counting."""

    exit_code = 2

    def __init__(
        self, message: str, hint: str = "", *, field: str = "", code: str = "invalid"
    ) -> None:
        super().__init__(message, hint)
        self.field = field
        self.code = code


class NotFound(FlyballError):
    """The named thing does not exist."""

    exit_code = 2


class Conflict(FlyballError):
    """The same identity exists already with other content; nothing was changed."""

    exit_code = 2


class Refused(FlyballError):
    """A rule or a gate says no; the state is what it was before."""

    exit_code = 3


class StorageError(FlyballError):
    """The home directory cannot hold or give the data; nothing acknowledged is lost."""

    exit_code = 4


class StorageFull(StorageError):
    """No space is left on the home's file system."""


class ReadOnlyHome(StorageError):
    """The home directory cannot be written."""


class HomeInUse(StorageError):
    """Another process already serves this home."""


class BundleError(FlyballError):
    """A bundle or snapshot must not be used."""

    exit_code = 5


class SignatureInvalid(BundleError):
    """Unsigned, signed by another key, or altered after signing."""


class BundleCorrupt(BundleError):
    """Correctly signed, but not what its manifest says."""


class BundleOutdated(BundleError):
    """Older than what is served already, or of a format number this version cannot read."""
