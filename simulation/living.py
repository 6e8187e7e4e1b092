"""Living on with the product, week by week: it decides, the world feels it and reports back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulation.bucket import blocked_share
from simulation.calendar_week import date_text, first_hour
from simulation.export import Exporter
from simulation.product import Product
from simulation.response import CHURN, DOWNGRADE, UPGRADE
from simulation.state import NEVER, mrr_minor
from simulation.truth import TruthLog
from simulation.week import Week
from simulation.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One week in numbers; ``mrr_minor`` is after it, in minor units of mixed currencies."""

    start: str
    tenants: int
    friction: int
    overdraft: int
    upgraded: int
    downgraded: int
    churned: int
    blocked_share: float
    mrr_minor: int


def live_week(
    world: World,
    exporter: Exporter,
    folder: Path,
    arms: Mapping[str, int] | None,
    truth: TruthLog | None = None,
) -> Summary:
    """Live one week under ``arms`` (None: the world explores) and write it into ``folder``."""
    week = world.step(arms)
    if truth is not None:
        truth.add(week)
    exporter.write(folder, [week], first_hour(world.week))
    return _summary(world, week)


def live(
    world: World, exporter: Exporter, product: Product, folder: Path, weeks: int
) -> Iterator[Summary]:
    """Live ``weeks`` weeks with ``product``; one import directory a week below ``folder``."""
    for _ in range(weeks):
        start = first_hour(world.week)
        arms = product.arms(start + world.opened_hours, world.present())
        told = folder / f"week-{date_text(start)}"
        summary = live_week(world, exporter, told, arms)
        product.take_in(told)
        yield summary


def _summary(world: World, week: Week) -> Summary:
    here = week.here
    staying = np.flatnonzero(world.state.gone_hour[: len(here)] >= NEVER)
    money = mrr_minor(world.population, world.state.plan[: len(here)])
    share = blocked_share(week.demand.sum(axis=0)[None, :], week.refused.sum(axis=0)[None, :])
    return Summary(
        start=date_text(first_hour(week.week)),
        tenants=int(here.sum()),
        friction=int((week.arm[here] < 100).sum()),
        overdraft=int((week.arm[here] > 100).sum()),
        upgraded=int((week.outcome == UPGRADE).sum()),
        downgraded=int((week.outcome == DOWNGRADE).sum()),
        churned=int((week.outcome == CHURN).sum()),
        blocked_share=float(share[0]),
        mrr_minor=int(money[staying].sum()),
    )
