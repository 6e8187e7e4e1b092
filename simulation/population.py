"""The tenants: what the vendor can see of them, and the latent traits that are never exported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.calendar_week import HOURS, first_hour
from simulation.catalogue import PLANS
from simulation.chance import Stream, generator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Daily rhythms: office hours, around the clock, nightly batch.
RHYTHMS = ("office", "always", "batch")

_FIRST_ID = 10_000
_ORG_BLOCK = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """One row a tenant, in order of arrival; arrays of shape ``[n]``.

    Latent (never exported): ``fragility``, ``dependence``, ``intent`` (standard normal scales),
    ``trend`` (log-growth a week). The rest shows in accounts or in demand.
    """

    tenant_id: list[str]
    created_hour: Ints
    segment: Ints
    region: Ints
    parent_org: list[str]
    rhythm: Ints
    first_plan: Ints
    first_level: Floats
    custom_scale: Floats  # own base limit over the plan's; 1 without one
    contract_percent: Ints
    term_contract: NDArray[np.bool_]
    seats: Ints
    discount: Floats
    yearly: Floats
    burstiness: Floats
    ai_user: NDArray[np.bool_]
    integrations: Ints
    trend: Floats
    fragility: Floats
    dependence: Floats
    intent: Floats

    @property
    def size(self) -> int:
        """How many tenants there are, those that arrive later included."""
        return len(self.tenant_id)

    def arrived(self, hour: int) -> int:
        """How many tenants were created before ``hour``: the first so many rows."""
        return int(np.searchsorted(self.created_hour, hour, side="left"))


def _created(uniform: Floats, first_week: int, weeks: int, total: int, size: int) -> Ints:
    """Four fifths exist at the start, the rest of ``total`` arrive evenly, and so on for ever."""
    veterans = max(1, round(total * 0.8)) if weeks else total
    index = np.arange(size)
    rate = max(total - veterans, 1) / max(weeks, 1)
    start = first_hour(first_week)
    # Older accounts first, up to four years back; the youngest is at least two weeks old.
    age_rank = np.clip((veterans - index) / veterans, 0.0, None)
    old = start - 14 * 24 - (age_rank**1.5 * 4 * 365 * 24).astype(np.int64)
    later = start + ((index - veterans + uniform) / rate * HOURS).astype(np.int64)
    created: Ints = np.where(index < veterans, old, later)
    return np.maximum.accumulate(created)


def populate(seed: int, total: int, first_week: int, weeks: int, spare_weeks: int) -> Population:
    """Draw the tenants that exist or arrive within ``weeks`` (``total``) and ``spare_weeks`` more.

    A tenant's traits depend on ``seed`` and its row only.
    """
    size = total + int(np.ceil(0.25 * total / max(weeks, 1) * spare_weeks))
    u = generator(seed, Stream.TRAITS, 0).random((size, 16))
    z = generator(seed, Stream.TRAITS, 1).standard_normal((size, 8))
    intent, fragility = z[:, 0], z[:, 1]
    dependence = 0.5 * z[:, 2] + 0.5 * intent + 0.7 * z[:, 3]
    plan = np.searchsorted([0.45, 0.75, 0.93], u[:, 0]).astype(np.int64)
    crowd = np.searchsorted([0.28, 0.58], u[:, 1])
    usual = np.array([0.22, 0.55, 0.92])[crowd] * np.exp(
        np.array([0.5, 0.3, 0.22])[crowd] * z[:, 4]
    )
    custom = (plan == 3) & (u[:, 2] < 0.3)
    strict = (u[:, 3] < 0.05) & ~custom
    contract = np.where(custom, 85, np.where(strict, 100, 70))
    member = u[:, 4] < 0.22
    rows = np.arange(size)
    return Population(
        tenant_id=[f"ent_{_FIRST_ID + i}" for i in rows],
        created_hour=_created(u[:, 5], first_week, weeks, total, size),
        segment=np.searchsorted([0.2, 0.4, 0.65, 0.85], u[:, 6]).astype(np.int64),
        region=np.searchsorted([0.5, 0.75, 0.85], u[:, 7]).astype(np.int64),
        parent_org=[
            f"org_{i // _ORG_BLOCK}" if m else "" for i, m in zip(rows, member, strict=True)
        ],
        rhythm=np.searchsorted([0.62, 0.84], u[:, 8]).astype(np.int64),
        first_plan=plan,
        first_level=np.log(usual),
        custom_scale=np.where(custom, np.round(1.5 + 2.5 * u[:, 9], 1), 1.0),
        contract_percent=contract.astype(np.int64),
        term_contract=(u[:, 10] < np.array([0.05, 0.25, 0.6, 0.9])[plan]),
        seats=np.maximum(
            1, np.array([p.seats for p in PLANS])[plan] * np.exp(0.5 * z[:, 5])
        ).astype(np.int64),
        discount=np.round(0.25 * u[:, 11] ** 2, 2),
        yearly=0.05 + 0.25 * (u[:, 12] ** 2),
        burstiness=0.01 + 0.10 * u[:, 13] ** 2,
        ai_user=u[:, 14] < 0.35 + 0.1 * np.tanh(intent),
        integrations=np.maximum(0, np.round(2.5 + 1.6 * dependence + z[:, 6])).astype(np.int64),
        trend=0.003 + 0.006 * intent + 0.005 * z[:, 7] + 0.012 * (u[:, 15] < 0.2),
        fragility=fragility,
        dependence=dependence,
        intent=intent,
    )
