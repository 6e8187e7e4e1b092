"""``flyball publish``: put the champion where serving sees it."""

from __future__ import annotations

import signal
from threading import Event

import click

from commands.moment import wall_clock_us
from flyball.home import Home


@click.command()
@click.option("--once/--watch", default=True, show_default=True, help="Look once, or keep looking.")
@click.option(
    "--poll-seconds",
    type=click.FloatRange(0.5, 3600.0),
    default=5.0,
    show_default=True,
    help="How often --watch looks at the registry.",
)
@click.pass_obj
def command(home: Home, *, once: bool, poll_seconds: float) -> None:
    """Publish the registry's champion: verified, tried in a child process, then in one step.

    --watch also looks for harm every minute, as `flyball watch` does.

    Versions without passed gates are refused; what is in use then stays in use.
    """
    from commands.training_data import load_gates
    from features.catalogue import feature_hash
    from training.publisher import publish_champion, watch
    from training.withdrawal import guard

    if once:
        click.echo(publish_champion(home, feature_hash()).words)
        return
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    known = feature_hash()
    watch(
        home,
        known,
        stop=stop,
        tell=click.echo,
        poll_seconds=poll_seconds,
        guard=lambda: guard(
            home, known, now_us=wall_clock_us(), churn_cap=load_gates(home).churn_cap
        ),
    )
