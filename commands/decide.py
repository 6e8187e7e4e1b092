"""``flyball decide``: decide for every tenant as of a time, from what was known then."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flyball.errors import InvalidInput, NotFound
from flyball.home import Home

if TYPE_CHECKING:
    from flyball.policy import Policy
    from ledger.people import ExperimentRun
    from ledger.sqlite_ledger import SqliteLedger
    from serving.publisher_lease import PublisherLease
    from serving.settings import Settings
    from serving.snapshot.entry import Entry


@click.command("decide")
@click.option("--as-of", "as_of", help="RFC 3339 time with a zone [now].")
@click.option("--policy", "policy_name", help="Policy instead of the configured one.")
@click.option(
    "--policy-arm", type=float, help="Multiplier of the constant or relax policy, such as 0.85."
)
@click.option(
    "--mode",
    type=click.Choice(["live", "what_if", "replay"]),
    default="what_if",
    show_default=True,
    help="live decisions are served and train; the others change nothing that is served.",
)
@click.option("--tenants", help="Write these tenants only (comma-separated); all are decided.")
@click.option(
    "--out",
    default="-",
    show_default=True,
    help="File to write (.ndjson, .json or .parquet); - is NDJSON to standard output.",
)
@click.option(
    "--publish/--no-publish",
    default=False,
    help="Also write the snapshot that gateways read (live only).",
)
@click.pass_obj
def command(
    home: Home,
    as_of: str | None,
    policy_name: str | None,
    policy_arm: float | None,
    mode: str,
    tenants: str | None,
    out: str,
    publish: bool,
) -> None:
    """Decide for every tenant as of a time, from what was known then."""
    from commands.decision_output import check_path, write_decisions
    from commands.moment import as_of_moment
    from flyball.decision import Mode
    from flyball.instant import format_instant
    from ledger.explanations import Explanations
    from ledger.sqlite_ledger import open_ledger, read_ledger
    from serving.clock import clock_for, wall_us
    from serving.deciding import check_forward, current_bundle, decide_pass, log_pass
    from serving.publication import entries_of, primary_floors
    from serving.rules import seed_guardrails
    from serving.settings import load_settings

    chosen_mode = Mode(mode)
    if publish and chosen_mode is not Mode.LIVE:
        raise InvalidInput("--publish needs --mode live.", field="publish")
    check_path(out)
    settings = load_settings(home.settings)
    policy = _policy(policy_name, policy_arm)
    # Never makes a ledger: a mistyped home is an error, not an empty one.
    read_ledger(home).close()
    as_of_us = (
        clock_for(settings.decisions.clock, home).now_us() if as_of is None else as_of_moment(as_of)
    )
    with open_ledger(home) as ledger, _lease(home, ledger, settings) as lease:
        if publish:
            lease.epoch()
        wanted = _known(tenants, set(ledger.tenants_created()))
        seed_guardrails(ledger, settings, wall_us())
        if chosen_mode is Mode.LIVE:
            check_forward(ledger, as_of_us)
        done = decide_pass(
            home,
            ledger,
            settings,
            as_of_us=as_of_us,
            mode=chosen_mode,
            bundle=current_bundle(home, settings),
            policy=policy,
        )
        if not done.decisions:
            raise NotFound(
                f"Nobody had an account as of {format_instant(as_of_us)}.",
                "Give a later --as-of, or import accounts first.",
            )
        decisions = log_pass(ledger, done, finished_us=wall_us())
        later = [run for run in ledger.experiments() if run.started_us > as_of_us]
        entries = list(entries_of(decisions, done.facts, done.stored))
        if publish:
            _publish(home, ledger, lease, entries, as_of_us)
            floors = primary_floors(decisions, done.facts, done.stored)
            with Explanations(home.explanations) as kept:
                kept.put_floors(floors, [decision.tenant_id for decision in decisions])
    rows = [item for item in decisions if wanted is None or item.tenant_id in wanted]
    write_decisions(rows, out, {entry.tenant_id: entry.effective_limits for entry in entries})
    if done.round.experiment is None and done.round.mode is Mode.LIVE:
        _warn_of_later_experiment(later)
    _report(len(rows), mode, done.round.policy.name, done.duration_ms, out)


def _policy(name: str | None, arm: float | None) -> Policy | None:
    from flyball.policies.registry import policy_named

    if arm is not None:
        if name not in ("constant", "relax"):
            raise InvalidInput(
                "--policy-arm belongs to --policy constant or relax.", field="policy_arm"
            )
        hundredths = round(arm * 100) if math.isfinite(arm) else 0
        if not 1 <= hundredths <= 1_000 or abs(arm * 100 - hundredths) > 1e-6:
            raise InvalidInput(
                f"--policy-arm {arm} is not a multiplier in whole hundredths.",
                "Write it like 0.85.",
                field="policy_arm",
                code="bad_arm",
            )
        return policy_named(name, arm=hundredths)
    return None if name is None else policy_named(name)


def _known(text: str | None, known: set[str]) -> set[str] | None:
    if text is None:
        return None
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(names - known)
    if unknown or not names:
        raise InvalidInput(
            f"There is no tenant {unknown[0][:64]!r}." if unknown else "--tenants names nobody.",
            "Give tenant ids, separated by commas.",
            field="tenants",
            code="unknown_tenant",
        )
    return names


@contextmanager
def _lease(home: Home, ledger: SqliteLedger, settings: Settings) -> Iterator[PublisherLease]:
    from ledger.sqlite_leases import SqliteLeases
    from serving.publisher_lease import PublisherLease

    lease = PublisherLease(
        SqliteLeases(ledger.file), home.snapshot, seconds=settings.decisions.lease_seconds
    )
    try:
        yield lease
    finally:
        lease.close()


def _publish(
    home: Home, ledger: SqliteLedger, lease: PublisherLease, entries: list[Entry], as_of_us: int
) -> None:
    from models.signature import create_keypair, load_private_key
    from serving.clock import wall_us
    from serving.snapshot.writer import SnapshotWriter

    if not home.signing_key.exists():
        create_keypair(home.signing_key, home.verify_key)
    writer = SnapshotWriter(home.snapshot, load_private_key(home.signing_key), lease)
    writer.publish_all(entries, aliases=ledger.aliases(), created_us=wall_us(), as_of_us=as_of_us)


def _warn_of_later_experiment(later: list[ExperimentRun]) -> None:
    from flyball.instant import format_instant

    if later:
        name, started = later[-1].experiment.name, format_instant(later[-1].started_us)
        print(
            f"flyball: nothing is drawn: experiment {name} started at {started}, after this as-of "
            "time.\n  Start it with --at where the clock is not the wall clock.",
            file=sys.stderr,
        )


def _report(count: int, mode: str, policy: str, duration_ms: float, out: str) -> None:
    where = "standard output" if out == "-" else str(Path(out))
    print(
        f"{count} {mode} decisions by policy {policy} in {duration_ms / 1_000:.1f} s -> {where}",
        file=sys.stderr,
    )
