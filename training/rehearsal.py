"""A dataset whose truth is known, for trying estimators and gates before they meet real money.

Authors of an :class:`training.effects.EffectEstimator` can check it here: what it finds must cover
the true effects, and in the null world it must find nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from flyball.arm import DEFAULT_GRID, NEUTRAL
from flyball.instant import HOUR_US
from training.dataset import Bools, Dataset, Floats, Ints
from training.outcome_model import sigmoid

WEEK_HOURS = 7 * 24

#: Monday 2025-01-06T00:00Z.
FIRST_HOUR = 482_256

SEGMENTS = ("enterprise", "smb")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is true in a rehearsal.

    ``base`` are hazards per period (upgrade, downgrade, churn) of an average tenant; ``signal`` the
    standard deviation of their log-odds over tenants; ``upgrade_effect`` and ``churn_effect`` what
    one unit of dose adds to a probability per period, ``segment_factor`` times as much for
    ``smb``. ``drawn`` False gives weeks of history without any draw. ``organisation_share`` of the
    tenants belong to organisations of three.
    """

    tenants: int = 400
    weeks: int = 20
    seed: int = 1
    features: tuple[str, ...] = ("growth", "peak_share", "logins", "tickets")
    base: tuple[float, float, float] = (0.03, 0.01, 0.02)
    signal: float = 1.0
    upgrade_effect: float = 0.0
    churn_effect: float = 0.0
    segment_factor: float = 1.0
    drawn: bool = True
    organisation_share: float = 0.2
    arms: tuple[int, ...] = field(default=DEFAULT_GRID)


def rehearse(world: World) -> Dataset:
    """Draw the dataset of ``world``: deterministic in its seed."""
    rng = np.random.Generator(np.random.Philox(world.seed))
    tenant, week = _alive(world)
    rows = len(tenant)
    fixed = rng.normal(size=(world.tenants, len(world.features)))
    x = fixed[tenant] + 0.5 * rng.normal(size=(rows, len(world.features)))
    dose = _doses(x[:, 1], world.arms)
    organisation = np.where(
        tenant < world.organisation_share * world.tenants, tenant // 3, tenant + world.tenants
    )
    column = _draws(rng, organisation, week, world)
    segment = tenant % len(SEGMENTS)
    hazards = _hazards(x, dose[np.arange(rows), column], segment, world)
    code = (rng.random(rows)[:, None] >= np.cumsum(hazards, axis=1)).sum(axis=1)
    outcome = np.where(code == 3, 0, code + 1).astype(np.int64)
    table = _table(world, x, dose, column, outcome, tenant, week, organisation, segment, rng)
    return Dataset(
        rows=table,
        features=world.features,
        arms=world.arms,
        period_days=7,
        as_of_us=(FIRST_HOUR + world.weeks * WEEK_HOURS) * HOUR_US,
        kind="decisions" if world.drawn else "history",
    )


def _alive(world: World) -> tuple[Ints, Ints]:
    """Tenant and week of every unit. Nobody leaves: departures are replaced at once."""
    week, tenant = np.divmod(np.arange(world.tenants * world.weeks), world.tenants)
    return tenant.astype(np.int64), week.astype(np.int64)


def _doses(pressure: Floats, arms: Sequence[int]) -> Floats:
    """Blocked share under each arm minus that under 100; tenants far from the limit feel none."""
    need = 0.6 * np.exp(0.35 * pressure)
    blocked = np.stack([np.maximum(0.0, 1.0 - (arm / 100.0) / need) for arm in arms], axis=1)
    return np.asarray(blocked - blocked[:, [list(arms).index(NEUTRAL)]], dtype=np.float64)


def _draws(rng: np.random.Generator, organisation: Ints, week: Ints, world: World) -> Ints:
    neutral = world.arms.index(NEUTRAL)
    if not world.drawn:
        return np.full(len(week), neutral, dtype=np.int64)
    _, draw = np.unique(np.stack([organisation, week]), axis=1, return_inverse=True)
    codes = np.asarray(draw).reshape(-1)
    return rng.integers(0, len(world.arms), int(codes.max()) + 1)[codes].astype(np.int64)


def _hazards(x: Floats, dose: Floats, segment: Ints, world: World) -> Floats:
    columns = x.shape[1]
    scale = world.signal / np.sqrt(1.25)
    base = np.maximum(np.asarray(world.base), 1e-12)
    logit = np.log(base) - np.log1p(-base)
    risk = np.stack([x[:, 0], x[:, 2 % columns], -x[:, 2 % columns]], axis=1)
    hazards = sigmoid(logit + scale * risk - 0.3 * world.signal**2)
    strength = np.where(segment == 1, world.segment_factor, 1.0) * dose
    hazards[:, 0] += world.upgrade_effect * strength
    hazards[:, 2] += world.churn_effect * strength
    return np.clip(hazards, 0.0, 0.33)


def _table(
    world: World,
    x: Floats,
    dose: Floats,
    column: Ints,
    outcome: Ints,
    tenant: Ints,
    week: Ints,
    organisation: Ints,
    segment: Ints,
    rng: np.random.Generator,
) -> pa.Table:
    rows = len(tenant)
    p = 1.0 / len(world.arms) if world.drawn else 1.0
    features = {
        name: pa.array(x[:, i], mask=_holes(rng, rows)) for i, name in enumerate(world.features)
    }
    arms = {}
    for index, arm in enumerate(world.arms):
        offered = p if world.drawn else float(arm == NEUTRAL)
        arms[f"offered_{arm}"] = np.full(rows, offered)
        arms[f"dose_{arm}"] = dose[:, index]
    start = FIRST_HOUR + week * WEEK_HOURS
    return pa.table(
        {
            "unit_id": [f"t{t}@{s}" for t, s in zip(tenant, start, strict=True)],
            "tenant_id": [f"t{t}" for t in tenant],
            "organisation": [f"o{o}" for o in organisation],
            "segment": [SEGMENTS[s] for s in segment],
            "plan": ["pro" if t % 5 == 0 else "basic" for t in tenant],
            "start_hour": start,
            "arm": np.asarray(world.arms)[column],
            "propensity": np.full(rows, p),
            "assignment": ["drawn" if world.drawn else "static"] * rows,
            "deciding_policy": ["static"] * rows,
            "mrr": np.full(rows, 100.0),
            "outcome": outcome,
            "outcome_28": outcome,
        }
        | arms
        | features
    )


def _holes(rng: np.random.Generator, rows: int) -> Bools:
    return np.asarray(rng.random(rows) < 0.02)
