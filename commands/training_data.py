"""The labelled training table of a home: relations, features of every decision, outcomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flyball.home import Home
from flyball.instant import HOUR_US, format_instant

if TYPE_CHECKING:
    from flyball.gate_settings import GateSettings
    from training.dataset import Dataset
    from training.stakes import Stakes


def load_dataset(
    home: Home, as_of_us: int, notice: Callable[[str], None] = lambda _: None
) -> Dataset:
    """Build the training table of ``home`` as of a whole hour.

    Raises
    ------
    NotFound
        The home has no ledger yet.
    InvalidInput
        ``as_of_us`` is not a whole hour, or the settings are wrong.
    """
    import duckdb

    from ledger.sqlite_ledger import read_ledger
    from serving.settings import load_settings
    from training.dataset import build_dataset

    settings = load_settings(home.settings).decisions
    with duckdb.connect() as connection:
        with read_ledger(home) as ledger:
            notice(f"folding usage as of {format_instant(as_of_us)}")
            _register(connection, home, ledger, as_of_us)
        notice("computing features of every decision")
        return build_dataset(
            connection, as_of_us, period_days=settings.period_days, arms=settings.arms
        )


def load_stakes(home: Home, as_of_us: int) -> Stakes:
    """Money rules and plans known at ``as_of_us``, and the configured policy if it needs a model.

    A home that runs another one is judged by ``value``, because that is what a champion is for.
    """
    from flyball.policies.registry import policy_named
    from ledger.sqlite_ledger import read_ledger
    from serving.settings import load_settings
    from training.stakes import Stakes

    configured = load_settings(home.settings).policy
    policy = policy_named(configured.name, **configured.params)
    chosen = policy if policy.needs_model else policy_named("value")
    if not home.ledger.exists():
        return Stakes(policy=chosen)
    with read_ledger(home) as ledger:
        return Stakes(
            economics=ledger.economics(), plans=ledger.plans_as_of(as_of_us), policy=chosen
        )


def load_gates(home: Home) -> GateSettings:
    """Caps of the gates that ``home`` sets."""
    from serving.settings import load_settings

    return load_settings(home.settings).gates


def _register(connection: Any, home: Home, ledger: Any, as_of_us: int) -> None:
    from ledger.decision_log import decision_log_table
    from ledger.relations import limit_table, register_relations
    from telemetry.tiles import Tiles

    register_relations(connection, ledger)
    log = decision_log_table(ledger)
    connection.register("decision_log", log)
    # Periods begin at midnight, where day tiles are enough; hour tiles of a long history are not
    # folded for nothing.
    starts = {int(hour) for hour in log["start_hour"].unique().to_pylist()}
    Tiles(home, limit_table(ledger)).register(
        connection,
        now_us=as_of_us,
        as_of_hours=sorted(hour for hour in starts if hour < as_of_us // HOUR_US),
    )
