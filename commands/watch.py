"""``flyball watch``: look for harm in live outcomes, and take the champion back if there is any."""

from __future__ import annotations

import json

import click

from commands.moment import moment
from flyball.errors import Refused
from flyball.home import Home


@click.command()
@click.option("--at", metavar="TIME", help="Look as of this time, RFC 3339.  [default: now]")
@click.option(
    "--churn-cap",
    type=click.FloatRange(0.0, 1.0),
    default=None,
    help="Churn that may be added in 26 weeks.  [default: gates.churn_cap of flyball.toml]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(home: Home, *, at: str | None, churn_cap: float | None, as_json: bool) -> int:
    """Compare churn of tenants acted on with those kept at 1, and roll back if it is harmful.

    `flyball serve` looks every minute by itself. Ends with 3 after a withdrawal: every multiplier
    is then 1 until somebody has looked and runs `flyball kill off`.
    """
    from commands.training_data import load_gates
    from features.catalogue import feature_hash
    from training.withdrawal import Withdrawal, guard

    cap = load_gates(home).churn_cap if churn_cap is None else churn_cap
    found = guard(home, feature_hash(), now_us=moment(at), churn_cap=cap)
    if isinstance(found, Withdrawal):
        champion = found.champion.version if found.champion else None
        told = found.look.plain() | {"champion": champion}
        click.echo(json.dumps(told) if as_json else found.sentence())
        return Refused.exit_code
    click.echo(json.dumps(found.plain()) if as_json else f"no harm: {found.sentence()}")
    return 0
