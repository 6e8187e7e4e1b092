"""What people started: experiments, settings and tokens; and the audit of it all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from flyball.errors import InvalidInput
from flyball.experiment import Experiment
from flyball.identity import check_label


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRun:
    """An experiment, who started it, and when it ended (None while it runs)."""

    experiment: Experiment
    started_us: int
    author: str
    reason: str
    stopped_us: int | None = None
    stopped_by: str = ""
    stop_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingVersion:
    """One version of a named setting; ``content`` is what JSON can hold."""

    name: str
    version: int
    content: object
    known_us: int
    author: str
    reason: str


class Role(StrEnum):
    """What the bearer of a token may do."""

    GATEWAY = "gateway"
    INGEST = "ingest"
    DATA_SCIENCE = "data-science"
    CS = "cs"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is kept of a bearer token: everything but the token itself."""

    token_id: str
    name: str
    role: Role
    created_us: int
    author: str
    expires_us: int | None = None
    revoked_us: int | None = None

    def valid_at(self, at_us: int) -> bool:
        """Whether the token opens anything at ``at_us``."""
        ends = [us for us in (self.expires_us, self.revoked_us) if us is not None]
        return self.created_us <= at_us < min(ends, default=at_us + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One act. ``before`` and ``after`` are JSON text, empty where there was nothing."""

    entry_id: int
    at_us: int
    author: str
    action: str
    target: str
    reason: str
    before: str
    after: str


def check_said(value: str, *, field: str) -> str:
    """Return who or why (NFC, stripped), which must not be blank."""
    text = check_label(value, field=field).strip()
    if not text:
        raise InvalidInput(
            f"{field} must not be empty.", "Say who and why.", field=field, code="missing_field"
        )
    return text
