"""Tenants: the paying accounts, as one version of what is known about each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flyball.errors import InvalidInput
from flyball.identity import check_identifier, check_label
from flyball.plan import MAX_LIMIT, Limit, Plan, check_currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One version of a tenant's account. Versions are kept, never overwritten.

    ``effective_us`` is when this version became true, ``known_us`` when we learned of it; an as-of
    time sees the latest version with both at or before it. ``base_limit`` and ``contract_limit``
    override the plan's for its primary meter. ``renewal_us`` is set for term contracts only.
    ``owner``, ``region``, ``segment`` and ``name`` are labels for people. ``aliases`` are API keys
    and other names a gateway knows the tenant by.
    """

    tenant_id: str
    plan: str
    created_us: int
    effective_us: int
    known_us: int
    name: str = ""
    owner: str = ""
    region: str = ""
    segment: str = ""
    parent_org: str = ""
    seats: int | None = None
    mrr_minor: int | None = None
    currency: str = "USD"
    renewal_us: int | None = None
    base_limit: int | None = None
    contract_limit: int | None = None
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_identifier(self.tenant_id, field="tenant_id")
        check_identifier(self.plan, field="plan")
        for alias in self.aliases:
            check_identifier(alias, field="alias")
        for label in ("name", "owner", "region", "segment", "parent_org"):
            check_label(getattr(self, label), field=label)
        check_currency(self.currency)
        for number in ("seats", "mrr_minor"):
            value = getattr(self, number)
            if value is not None and not 0 <= value <= MAX_LIMIT:
                raise InvalidInput(f"{number} {value} must lie in 0..{MAX_LIMIT}.", field=number)
        for limit in ("base_limit", "contract_limit"):
            value = getattr(self, limit)
            if value is not None and not 1 <= value <= MAX_LIMIT:
                raise InvalidInput(
                    f"{limit} {value} must lie in 1..{MAX_LIMIT}.", field=limit, code="bad_limit"
                )

    @property
    def organisation(self) -> str:
        """The parent organisation, or the tenant itself: the unit that draws are made for."""
        return self.parent_org or self.tenant_id

    def primary_limit(self, plan: Plan) -> Limit:
        """The limit of ``plan``'s primary meter with this account's own numbers put in.

        An account that raises only the base keeps the plan's contract; one that lowers the base
        below the plan's contract is promised the whole of its base.
        """
        listed = plan.primary_limit
        base = self.base_limit if self.base_limit is not None else listed.base
        contract = self.contract_limit if self.contract_limit is not None else listed.contract
        return replace(listed, base=base, contract=min(base, contract))
