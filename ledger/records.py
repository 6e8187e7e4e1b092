"""Commercial records: subscriptions, interventions, tickets and incidents.

``known_us`` says when *we* learned of a record; an import of history takes the record's own time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from flyball.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEntry:
    """A plan and since when it reads so; None: since ever if new, else since it is put."""

    plan: Plan
    effective_us: int | None = None


class SubscriptionKind(StrEnum):
    """What happened to a subscription."""

    STARTED = "started"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    RENEWED = "renewed"
    CHURNED = "churned"


#: Subscription kinds that are outcomes of a decision (DESIGN §2).
OUTCOME_KINDS = (
    SubscriptionKind.UPGRADED,
    SubscriptionKind.DOWNGRADED,
    SubscriptionKind.CHURNED,
)


class Severity(StrEnum):
    """How much a ticket hurts; an open urgent one forbids friction."""

    LOW = "low"
    NORMAL = "normal"
    URGENT = "urgent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One change of a tenant's subscription; ``mrr_minor`` is in the account's currency."""

    subscription_id: str
    tenant_id: str
    time_us: int
    known_us: int
    kind: SubscriptionKind
    plan: str = ""
    mrr_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """Something a person did for a tenant: a call, a discount, a training."""

    tenant_id: str
    time_us: int
    known_us: int
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One version of a support ticket; closing it is another version with its own known time."""

    ticket_id: str
    tenant_id: str
    opened_us: int
    known_us: int
    severity: Severity
    closed_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One version of an incident.

    ``scope_kind`` is ``all``, ``region`` or ``tenant``; empty when the source gave a bare name, and
    then a known tenant of that name wins over a region. ``to_us`` is None while it lasts.
    """

    incident_id: str
    from_us: int
    known_us: int
    scope_kind: str = "all"
    scope: str = ""
    to_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What one write did: ``version`` now in force, and whether it is a new one."""

    version: int
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why one record of a bulk import did not go in; ``index`` counts from 0 in what was passed."""

    index: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of each record of one bulk import; nothing is dropped without being counted.

    ``conflicts`` (same identity, other content) and ``rejections`` name the records refused.
    """

    accepted: int = 0
    duplicates: int = 0
    conflicts: tuple[Rejection, ...] = ()
    rejections: tuple[Rejection, ...] = ()

    def __add__(self, other: ImportReport) -> ImportReport:
        """Totals of two reports (indices are kept as they are)."""
        return ImportReport(
            accepted=self.accepted + other.accepted,
            duplicates=self.duplicates + other.duplicates,
            conflicts=self.conflicts + other.conflicts,
            rejections=self.rejections + other.rejections,
        )
