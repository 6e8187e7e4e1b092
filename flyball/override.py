"""Overrides: a person's say in one tenant's arm, always with a reason and an end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from flyball.errors import InvalidInput
from flyball.identity import check_identifier, check_label
from flyball.instant import DAY_US, check_instant

#: An override ends by itself after at most a year: what must last longer belongs in the contract.
MAX_OVERRIDE_US = 366 * DAY_US


class OverrideKind(StrEnum):
    """What a person may ask for.

    ``force_neutral`` sets the arm to 100; ``exempt`` keeps it at 100 or above; ``freeze`` keeps
    the arm in force; ``choose`` picks an arm among those that the guardrails allow.
    """

    FORCE_NEUTRAL = "force_neutral"
    EXEMPT = "exempt"
    FREEZE = "freeze"
    CHOOSE = "choose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One person's move on one tenant.

    Parameters
    ----------
    override_id, tenant_id:
        Identifiers.
    kind:
        See :class:`OverrideKind`.
    arm:
        Integer hundredths; required for ``choose``, forbidden for the others.
    author, reason:
        Who and why; neither may be blank.
    created_us, expires_us:
        In force from the first (included) to the second (excluded); at most 366 days apart.
    ended_us:
        When somebody ended it early; None otherwise.

    Raises
    ------
    InvalidInput
        Naming the field.
    """

    override_id: str
    tenant_id: str
    kind: OverrideKind
    author: str
    reason: str
    created_us: int
    expires_us: int
    arm: int | None = None
    ended_us: int | None = None

    def __post_init__(self) -> None:
        check_identifier(self.override_id, field="override_id")
        check_identifier(self.tenant_id, field="tenant_id")
        for name in ("author", "reason"):
            if not check_label(getattr(self, name), field=name).strip():
                raise InvalidInput(f"An override needs a {name}.", "Say who and why.", field=name)
        self._check_arm()
        self._check_times()

    def _check_arm(self) -> None:
        if self.kind is OverrideKind.CHOOSE:
            if self.arm is None or not 1 <= self.arm <= 1000:
                raise InvalidInput(
                    "Choosing an arm needs one.",
                    "Give a multiplier of the grid, such as 0.85.",
                    field="arm",
                    code="bad_arm",
                )
        elif self.arm is not None:
            raise InvalidInput(
                f"An override of kind {self.kind.value} takes no arm.",
                "Leave it out, or use the kind choose.",
                field="arm",
                code="bad_arm",
            )

    def _check_times(self) -> None:
        check_instant(self.created_us, field="created")
        check_instant(self.expires_us, field="expires")
        if not self.created_us < self.expires_us <= self.created_us + MAX_OVERRIDE_US:
            raise InvalidInput(
                "An override must end after it begins, and within 366 days.",
                "Give an expiry such as 7d.",
                field="expires",
            )

    def active_at(self, at_us: int) -> bool:
        """Whether the override is in force at ``at_us``."""
        ends_us = self.expires_us if self.ended_us is None else min(self.ended_us, self.expires_us)
        return self.created_us <= at_us < ends_us


def override_in_force(overrides: Iterable[Override], at_us: int) -> Override | None:
    """The override that counts at ``at_us``: of several, the one made last (ties: higher id)."""
    active = [override for override in overrides if override.active_at(at_us)]
    return max(active, key=lambda o: (o.created_us, o.override_id), default=None)
