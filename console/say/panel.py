"""What an account's page shows of what people said and did, and may still undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from console.access.tenants import AccessibleTenant
from console.desk import Desk
from console.say.kinds import KINDS
from flyball.override import Override, OverrideKind, override_in_force
from ledger.follow_up import Note, Task
from ledger.override_request import OverrideRequest

_NOTES, _TASKS = 5, 20


@dataclass(frozen=True, slots=True)
class Panel:
    """``override`` is in force; ``requests`` wait; tasks are open ones first."""

    override: Override | None
    requests: Sequence[OverrideRequest]
    tasks: Sequence[Task]
    notes: Sequence[Note]

    @staticmethod
    def word(kind: OverrideKind) -> str:
        """What a kind is called."""
        return KINDS[kind][0]


def panel_of(desk: Desk, tenant: AccessibleTenant) -> Panel:
    """Read it for one account."""
    name, now_us = tenant.tenant_id, desk.now_us()
    return Panel(
        override=override_in_force(desk.ledger.overrides([name], active_at_us=now_us), now_us),
        requests=desk.ledger.override_requests([name], waiting_at_us=now_us),
        tasks=desk.ledger.tasks(name, most=_TASKS),
        notes=desk.ledger.notes(name, most=_NOTES),
    )


def account_address(tenant: AccessibleTenant) -> str:
    """The account's page."""
    return f"/console/accounts/{quote(tenant.tenant_id, safe='')}"
