"""Small made-up experiments whose truth is known: cheap enough to be drawn by the hundred."""

from __future__ import annotations

import numpy as np

from training.dataset import Floats
from training.estimators.table import EffectTable, Subjects

ARMS = ("70", "85", "100", "115", "130")
WEEKS = 10


def experiment(
    seed: int,
    *,
    tenants: int = 300,
    upgrade: float = 0.0,
    churn: float = 0.0,
    segment_factor: float = 1.0,
    personal: float = 0.0,
    carry: float = 0.0,
    rate: float = 0.15,
) -> EffectTable:
    """``tenants`` over ten weeks; a unit of dose adds ``upgrade`` and ``churn`` to a probability.

    ``segment_factor`` multiplies the churn effect in the second segment, ``personal`` adds to it
    per unit of the first feature, and ``carry`` is what past dose residuals add, halved every week.
    """
    rng = np.random.Generator(np.random.Philox(seed))
    n = tenants * WEEKS
    tenant, week = np.repeat(np.arange(tenants), WEEKS), np.tile(np.arange(WEEKS), tenants)
    x = rng.normal(size=(n, 3))
    segment, plan = tenant % 2, (tenant // 2) % 3
    pressure = rng.uniform(0.3, 1.0, size=n)
    dose = pressure[:, None] * np.asarray([0.6, 0.3, 0.0, -0.1, -0.2])
    # Some rows are not offered the outermost arms; organisations of two share their draws.
    offered = np.full((n, 5), 0.2)
    narrow = (tenant // 2) % 4 == 0
    offered[narrow] = np.asarray([0.0, 0.25, 0.5, 0.25, 0.0])
    organisation = tenant // 2
    draw = organisation * WEEKS + week
    uniform = rng.random(draw.max() + 1)[draw]
    arm = (uniform[:, None] >= np.cumsum(offered, axis=1) - 1e-12).sum(axis=1)
    arm = np.minimum(arm, np.where(narrow, 3, 4))
    own = dose[np.arange(n), arm]
    excess = own - (offered * dose).sum(axis=1)
    before = np.zeros(n)
    for later in range(1, WEEKS):
        rows = np.flatnonzero(week == later)
        before[rows] = 0.5 * (before[rows - 1] + excess[rows - 1])
    slope = churn * np.where(segment == 1, segment_factor, 1.0) + personal * x[:, 0]
    chance = np.stack(
        [
            np.full(n, rate) + upgrade * own,
            np.full(n, rate) + slope * own + carry * before,
        ],
        axis=1,
    )
    happened = rng.random((n, 2)) < np.clip(chance, 0.0, 1.0)
    x[:, 2] = plan
    return EffectTable(
        subjects=Subjects(
            x=x.astype(np.float32), segment=segment, plan=plan, dose=np.asarray(dose)
        ),
        features=("growth", "logins", "plan_rank"),
        arms=ARMS,
        neutral=2,
        arm=arm,
        offered=offered,
        outcomes=happened.astype(np.float64),
        names=("upgrade", "churn"),
        cluster=organisation,
        draw=draw,
        segments=("enterprise", "smb"),
        plans=("rank 0", "rank 1", "rank 2"),
        tenant=tenant,
        period=week.astype(np.float64),
        plan_levels=np.asarray([0.0, 1.0, 2.0]),
        fallback_dose=np.asarray([0.4, 0.2, 0.0, -0.07, -0.13]),
    )


def flat(table: EffectTable) -> Floats:
    """The plainest expectation: everybody's mean."""
    return np.broadcast_to(table.outcomes.mean(axis=0), table.outcomes.shape).copy()
