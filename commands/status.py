"""``flyball status``: what is there, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from commands.home_report import Report, home_report
from commands.moment import wall_clock_us
from flyball.errors import StorageError
from flyball.home import Home


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(home: Home, *, as_json: bool) -> int:
    """Say what the home holds and how it is doing; changes nothing.

    Ends with 4 if a part of it is there but cannot be read.
    """
    report = home_report(home, wall_clock_us())
    if as_json:
        click.echo(json.dumps(report))
    else:
        _print(report)
    return StorageError.exit_code if report["unreadable"] else 0


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _lines(report):
        table.add_row(Text(name, style="bold"), Text(value))
    Console().print(table, soft_wrap=False)
    # Before everything else that may be wrong: this is what somebody must act on.
    for notice in report["notices"] or ():
        click.echo(f"!! notice {notice['id']} ({notice['severity']}): {notice['message']}")
    for problem in (*report["notes"], *report["unreadable"]):
        click.echo(f"! {problem}")


def _lines(report: Report) -> Iterator[tuple[str, str]]:
    yield "home", report["home"]
    tenants = report["tenants"]
    yield "tenants", "none yet" if not tenants else f"{tenants:,} on {report['plans']:,} plans"
    yield from _usage(report["usage"])
    yield "decisions", _decisions(report["decisions"])
    yield "last run", _last_run(report["lastRun"])
    bundle = report["bundle"]
    yield (
        "bundle",
        f"{bundle['version']}, published {bundle['publishedAt']}"
        + (" (rolled back)" if bundle["rollback"] else "")
        if bundle
        else "none: decisions are static until a champion is published",
    )
    if report["challenger"]:
        yield "challenger", _trial(report["challenger"])
    snapshot = report["snapshot"]
    yield (
        "snapshot",
        f"{snapshot['version']} with {snapshot['tenants']:,} tenants, "
        f"{snapshot['ageSeconds']:,.0f} s old ({snapshot['source']})"
        if snapshot
        else "none: flyball serve makes it",
    )
    yield "kill switch", _kill_switch(report["killSwitch"])
    experiment = report["experiment"]
    yield (
        "experiment",
        f"{experiment['name']} since {experiment['startedAt']}, epsilon "
        f"{experiment['epsilon']:g}, holdout {experiment['holdoutShare']:.0%}"
        if experiment
        else "none: nothing is randomised",
    )
    yield "overrides", f"{report['overrides'] or 0:,} in force"
    yield from _webhooks(report["webhooks"])


def _usage(usage: Report | None) -> Iterator[tuple[str, str]]:
    if usage is None or not usage["events"]:
        yield "events", "none yet"
    else:
        yield "events", f"{usage['events']:,} from {usage['from']} to {usage['to']}"
        for meter, count in usage["byMeter"].items():
            yield "", f"{meter} {count:,}"
        late = usage["latenessSeconds"]
        yield "lateness", f"median {late['median']:,.1f} s, p95 {late['p95']:,.1f} s"
    if usage is not None:
        pending = usage["pending"]
        yield "pending", f"{pending['events']:,} events of {pending['names']:,} unknown tenants"
        yield "conflicts", f"{usage['conflicts']:,} events refused and kept"


def _trial(trial: Report) -> str:
    said = f"{trial['version'] or 'none'}, {trial['shadowDecisions']:,} decisions compared"
    if not trial["canaryShare"]:
        return f"{said}, canary off"
    if trial["canaryInForce"]:
        return f"{said}, canary decides for {trial['canaryShare']:.1%} of organisations"
    return f"{said}, canary wanted but not in force: {trial['canaryRefused']}"


def _webhooks(counts: Report | None) -> Iterator[tuple[str, str]]:
    if counts is None or not (counts["waiting"] or counts["delivered"] or counts["givenUp"]):
        return
    last = f"; last error {counts['lastError']}" if counts["lastError"] else ""
    yield (
        "webhooks",
        f"{counts['waiting']:,} waiting, {counts['delivered']:,} delivered, "
        f"{counts['givenUp']:,} given up{last}",
    )


def _decisions(counts: dict[str, int] | None) -> str:
    if not counts:
        return "none yet"
    return ", ".join(f"{count:,} {mode}" for mode, count in sorted(counts.items()))


def _last_run(run: Report | None) -> str:
    if run is None:
        return "none yet"
    bundle = run["bundleVersion"] or "none"
    return (
        f"{run['mode']} as of {run['asOf']}: {run['tenants']:,} tenants in "
        f"{run['durationMs']:,.0f} ms, policy {run['policy']}, bundle {bundle}"
    )


def _kill_switch(state: Report) -> str:
    if not state["on"]:
        return "off"
    who = f" by {state['author']}: {state['reason']}" if state["author"] else ""
    return f"ON since {state['since'] or 'an unknown time'}{who}; every multiplier is 1"
