"""Policies: small pure functions from what is known of a tenant to a proposed arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from flyball.arm import NEUTRAL
from flyball.economics import Economics
from flyball.money import TenantMoney
from flyball.outlook import Estimate, Hazards, Outlook, chained
from flyball.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantView:
    """Everything a policy may look at.

    Parameters
    ----------
    tenant_id, segment, plan:
        Labels; empty where unknown.
    arms:
        Arms to choose from: ascending, integer hundredths, 100 always among them.
    previous_arm:
        The arm in force before this period.
    outlook:
        What the models say; its hazards are None without a model.
    money, economics:
        None where unknown.
    period_days:
        Length of one period, which hazards and effects refer to.
    """

    tenant_id: str
    arms: tuple[int, ...]
    outlook: Outlook
    segment: str = ""
    plan: str = ""
    previous_arm: int = NEUTRAL
    money: TenantMoney | None = None
    economics: Economics | None = None
    period_days: int = 7

    def within_28_days(self) -> Hazards | None:
        """Probabilities of each first outcome within 28 days at m = 1; None without a model."""
        hazards = self.outlook.hazards
        return None if hazards is None else chained(hazards, 28 / self.period_days)


class Proposal(NamedTuple):
    """A proposed arm, why, and its predicted advantage over 100 in minor units where known."""

    arm: int
    reasons: tuple[Reason, ...]
    advantage: Estimate | None = None


@runtime_checkable
class Policy(Protocol):
    """One way to choose an arm.

    ``propose`` is pure: the same view always gives the same proposal, and the arm is one of
    ``view.arms``. Unless ``needs_model`` is False it proposes 100 where there is no model.
    :func:`flyball.checks.check_policy` tests all of this.
    """

    @property
    def name(self) -> str:
        """What settings and decisions call the policy."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same view may give another proposal; includes the parameters."""
        ...

    @property
    def needs_model(self) -> bool:
        """Whether the policy stays at 100 without a model."""
        ...

    def propose(self, view: TenantView) -> Proposal:
        """Choose one of ``view.arms``."""
        ...


def stay(reason: Reason) -> Proposal:
    """A proposal to change nothing."""
    return Proposal(NEUTRAL, (reason,))
