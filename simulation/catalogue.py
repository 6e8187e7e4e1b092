"""What the simulated vendor sells and where: plans, segments, regions, meters, economics."""

from __future__ import annotations

from dataclasses import dataclass

#: Share of a plan's base limit that its contract promises.
CONTRACT_PERCENT = 70


@dataclass(frozen=True, slots=True)
class SoldPlan:
    """One plan: price in minor units a month, requests an hour, bytes, parallel workflows."""

    name: str
    rank: int
    price_minor: int
    requests_per_hour: int
    storage_bytes: int
    workflows: int
    seats: int


PLANS = (
    SoldPlan("starter", 1, 9_900, 2_000, 50_000_000_000, 10, 4),
    SoldPlan("growth", 2, 29_900, 6_000, 200_000_000_000, 30, 12),
    SoldPlan("business", 3, 89_900, 20_000, 1_000_000_000_000, 100, 40),
    SoldPlan("enterprise", 4, 249_900, 60_000, 5_000_000_000_000, 400, 150),
)

SEGMENTS = ("fintech", "logistics", "retail", "media", "internal_tools")
#: Hours that local time is ahead of UTC.
REGIONS = {"us": -6, "eu": 1, "uk": 0, "apac": 8}
#: Euro accounts pay in euro.
#: Dollars a euro.
EURO_RATE = 1.08
REGION_CURRENCY = {"us": "USD", "eu": "EUR", "uk": "USD", "apac": "USD"}
OWNERS = ("amara", "bjorn", "chen", "dalia", "emre", "fatima")


def plans_document() -> list[dict[str, object]]:
    """The content of ``plans.json``."""
    return [
        {
            "plan": plan.name,
            "rank": plan.rank,
            "monthly_price_minor": plan.price_minor,
            "currency": "USD",
            "primary_meter": "api.requests",
            "limits": {
                "api.requests": _limit(plan.requests_per_hour, "rate"),
                "storage.bytes": _limit(plan.storage_bytes, "storage"),
                "workflows.concurrent": _limit(plan.workflows, "concurrency"),
            },
            "entitlements": {"seats": plan.seats},
            "effective_at": "2020-01-01T00:00:00Z",
        }
        for plan in PLANS
    ]


def _limit(base: int, kind: str) -> dict[str, object]:
    return {"base": base, "contract": base * CONTRACT_PERCENT // 100, "per": "hour", "kind": kind}


def meters_document() -> list[dict[str, object]]:
    """The content of ``meters.json``: requests are hourly sums of demand, the rest is daily."""
    hourly: list[dict[str, object]] = [
        {"name": "api.requests", "counts": "demand", "resolution_seconds": 3600},
        {"name": "api.blocked", "resolution_seconds": 3600},
    ]
    return hourly + [{"name": name, "resolution_seconds": 86_400} for name in DAILY_METERS.values()]


#: Short code in event ids -> meter.
DAILY_METERS = {
    "lo": "logins",
    "se": "seats.active",
    "ex": "exports",
    "ai": "ai.tokens",
    "st": "storage.bytes",
    "in": "integrations.active",
    "wf": "workflows.concurrent",
}


def economics_document() -> dict[str, object]:
    """The content of ``economics.json``."""
    return {
        "currency": "USD",
        "margin": 0.8,
        "value_horizon_weeks": 52,
        "discount_per_year": 0.1,
        "unit_cost_minor": {"api.requests": 0.0002},
        "support_cost_minor": 1500,
        "fx": {"EUR": EURO_RATE},
    }
