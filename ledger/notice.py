"""Notices: what people must be told, open until one of them says that it is dealt with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How loud to be."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class NoticeKind(StrEnum):
    """What happened; a code is never reused with another meaning."""

    MODEL_WITHDRAWN = "model_withdrawn"
    CANARY_WITHDRAWN = "canary_withdrawn"
    CANARY_REFUSED = "canary_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice. ``subject`` names what it is about (a bundle's version); texts are for people.

    No notice names a tenant's probability. ``ended_us`` is None while it is open.
    """

    notice_id: int
    kind: str
    severity: Severity
    subject: str
    message: str
    author: str
    at_us: int
    ended_us: int | None = None
    ended_by: str = ""
    end_reason: str = ""
