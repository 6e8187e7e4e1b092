"""What is at stake: the money rules and plans by which a policy weighs outcomes in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flyball.economics import Economics
from flyball.money import TenantMoney, tenant_money
from flyball.plan import Plan
from flyball.policies.value import Value
from flyball.policy import Policy
from flyball.tenant import Account

#: The training table holds money in major units of the economics' currency.
MINOR_PER_MAJOR = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stakes:
    """``economics`` is None where nobody stated any: the ``value`` policy then stays at 100.

    ``plans`` are those known at the dataset's as-of time; ``policy`` is what a champion would run.
    """

    economics: Economics | None = None
    plans: Mapping[str, Plan] = field(default_factory=dict)
    policy: Policy = field(default_factory=Value)

    def money(self, plan: str, mrr: float | None) -> TenantMoney | None:
        """What a tenant on ``plan`` paying ``mrr`` a month (major units) is worth; None unknown."""
        if self.economics is None:
            return None
        minor = None if mrr is None or mrr < 0.0 else round(mrr * MINOR_PER_MAJOR)
        if plan not in self.plans:
            return TenantMoney(mrr_minor=minor)
        account = Account(
            tenant_id="any",
            plan=plan,
            created_us=0,
            effective_us=0,
            known_us=0,
            mrr_minor=minor,
            currency=self.economics.currency,
        )
        return tenant_money(account, self.plans, self.economics)
