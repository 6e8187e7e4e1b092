"""``flyball feedback``: what people say about scores, for whoever trains the models."""

from __future__ import annotations

import json
import sys

import click

from commands.moment import moment
from flyball.arm import NEUTRAL
from flyball.home import Home
from flyball.instant import format_instant
from ledger.follow_up import Feedback

_FIELDS = (
    "at", "tenantId", "decisionId", "subject", "verdict", "probability", "multiplier",
    "modelVersion", "author", "reason",
)  # fmt: skip
#: What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@click.command("feedback")
@click.option("--since", help="Only from this time on, RFC 3339 [everything].")
@click.option("--json", "form", flag_value="json", help="One JSON object a line.")
@click.option("--csv", "form", flag_value="csv", help="CSV with a heading.")
@click.pass_obj
def command(home: Home, *, since: str | None, form: str | None) -> None:
    """Print what people said about scores: a label-quality record a line, oldest first.

    Each line keeps the decision it is about, the probability that was shown, the multiplier that
    was served and the model's version. Judgements are not outcomes: no training reads them.
    """
    from ledger.sqlite_ledger import read_ledger

    with read_ledger(home) as ledger:
        found = ledger.feedback(since_us=moment(since) if since else 0)
    if form == "json":
        for item in found:
            click.echo(json.dumps(_row(item), ensure_ascii=False))
    elif form == "csv":
        _csv(found)
    elif not found:
        click.echo("Nobody has said anything about a score yet.")
    else:
        for item in found:
            row = _row(item)
            click.echo(
                f"{row['at']}  {item.tenant_id}  {item.subject.value} {item.verdict.value}"
                f"  p={'-' if item.probability is None else f'{item.probability:.3f}'}"
                f"  {item.author}: {' '.join(item.reason.split())}"
            )


def _row(item: Feedback) -> dict[str, object]:
    return {
        "at": format_instant(item.at_us),
        "tenantId": item.tenant_id,
        "decisionId": item.decision_id,
        "subject": item.subject.value,
        "verdict": item.verdict.value,
        "probability": item.probability,
        "multiplier": None if item.served_arm is None else item.served_arm / NEUTRAL,
        "modelVersion": item.model_version,
        "author": item.author,
        "reason": item.reason,
    }


def _csv(found: list[Feedback]) -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_FIELDS)
    for item in found:
        row = _row(item)
        writer.writerow([_cell(row[name]) for name in _FIELDS])


def _cell(value: object) -> object:
    """A value that a spreadsheet does not run."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return "" if value is None else value
