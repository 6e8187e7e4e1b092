"""``flyball experiment``: explicit starts and stops of randomised arms."""

from __future__ import annotations

import json

import click

from commands.moment import moment
from commands.signing_off import at_option, author_option, reason_option
from flyball.experiment import Experiment
from flyball.home import Home
from flyball.instant import format_instant
from ledger.people import ExperimentRun


@click.group()
def command() -> None:
    """Start and stop experiments: until one is started, nothing is randomised."""


@command.command("start")
@click.argument("name")
@click.option(
    "--epsilon", type=float, default=0.05, show_default=True,
    help="Probability of each offered arm that the policy did not choose.",
)  # fmt: skip
@click.option(
    "--holdout", type=float, default=0.1, show_default=True,
    help="Share of organisations kept at 1 for good.",
)  # fmt: skip
@reason_option
@author_option
@at_option
@click.pass_obj
def start(
    home: Home,
    *,
    name: str,
    epsilon: float,
    holdout: float,
    reason: str,
    author: str,
    at: str | None,
) -> None:
    """Start experiment NAME; a name is used once."""
    from ledger.sqlite_ledger import open_ledger
    from serving.settings import load_settings

    arms = load_settings(home.settings).decisions.grid.arms
    asked = Experiment(name=name, secret=bytes(16), epsilon=epsilon, holdout_share=holdout)
    asked.check_arms(len(arms))
    with open_ledger(home) as ledger:
        run = ledger.start_experiment(
            name,
            epsilon=epsilon,
            holdout_share=holdout,
            author=author,
            reason=reason,
            now_us=moment(at),
        )
    click.echo(
        f"Experiment {name} runs since {format_instant(run.started_us)}: each offered arm has "
        f"probability {epsilon:g} or more; {holdout:.0%} of organisations are held out."
    )


@command.command("stop")
@click.option("--reason", default="", help="Why; goes into the audit trail.")
@author_option
@at_option
@click.pass_obj
def stop(home: Home, *, reason: str, author: str, at: str | None) -> None:
    """Stop the running experiment; arms of running periods stay."""
    from ledger.sqlite_ledger import open_ledger, read_ledger

    read_ledger(home).close()
    with open_ledger(home) as ledger:
        run = ledger.stop_experiment(author=author, now_us=moment(at), reason=reason)
    click.echo(f"Experiment {run.experiment.name} has stopped; its draws stay logged.")


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(home: Home, *, as_json: bool) -> None:
    """Say what runs now and what ran before."""
    from ledger.sqlite_ledger import read_ledger

    with read_ledger(home) as ledger:
        runs = ledger.experiments()
    if as_json:
        click.echo(json.dumps([describe(run) for run in runs]))
        return
    if not runs or runs[-1].stopped_us is not None:
        click.echo("No experiment is running: nothing is randomised.")
    for run in reversed(runs):
        until = "now" if run.stopped_us is None else format_instant(run.stopped_us)
        click.echo(
            f"{run.experiment.name}: {format_instant(run.started_us)} until {until}, epsilon "
            f"{run.experiment.epsilon:g}, holdout {run.experiment.holdout_share:.0%}, by "
            f"{run.author}: {run.reason}"
        )


def describe(run: ExperimentRun) -> dict[str, object]:
    """One run as JSON can hold it; never its secret."""
    return {
        "name": run.experiment.name,
        "running": run.stopped_us is None,
        "epsilon": run.experiment.epsilon,
        "holdoutShare": run.experiment.holdout_share,
        "startedAt": format_instant(run.started_us),
        "stoppedAt": None if run.stopped_us is None else format_instant(run.stopped_us),
        "author": run.author,
        "reason": run.reason,
    }
