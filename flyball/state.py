"""The facts about one tenant that guardrails look at, as of one time."""

from __future__ import annotations

from dataclasses import dataclass

from flyball.override import Override
from flyball.plan import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantState:
    """What is known of a tenant at the as-of time, apart from what models say.

    Parameters
    ----------
    tenant_id:
        Identifier.
    organisation:
        Parent organisation or the tenant itself; empty means the tenant itself.
    segment, plan, region:
        Labels; empty where unknown.
    limits:
        Limits in force, the primary meter's first (with the account's own numbers put in). Empty
        means that the plan is not known: the tenant then stays at m = 1.
    created_us:
        When the account was created; None counts as new.
    renewal_us:
        Next renewal of a term contract; None for others.
    upgraded_us:
        Start of the plan that the latest upgrade led to; None without one.
    features_us:
        The newest time that the tenant's features could see; None without features, which counts
        as too old.
    spike, incident, urgent_ticket:
        Whether one is going on at the as-of time.
    override:
        The override in force (see :func:`flyball.override.override_in_force`).
    own_limits:
        Whether the account was given limits of its own.
    unexplored:
        Whether the model behind the outlook has not seen these limits in use.
    overdraft_periods:
        Periods in the settings' window before this one in which the tenant was served above 100.
    """

    tenant_id: str
    organisation: str = ""
    segment: str = ""
    plan: str = ""
    region: str = ""
    limits: tuple[Limit, ...] = ()
    created_us: int | None = None
    renewal_us: int | None = None
    upgraded_us: int | None = None
    features_us: int | None = None
    spike: bool = False
    incident: bool = False
    urgent_ticket: bool = False
    override: Override | None = None
    overdraft_periods: int = 0
    own_limits: bool = False
    unexplored: bool = False

    @property
    def unit(self) -> str:
        """Whom draws are made for: the organisation, or the tenant itself."""
        return self.organisation or self.tenant_id
