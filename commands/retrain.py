"""``flyball retrain``: the whole cycle, safe to schedule."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from commands.moment import as_of_moment, wall_clock_us
from commands.signing_off import author_option
from flyball.errors import HomeInUse, ReadOnlyHome
from flyball.home import Home
from flyball.instant import HOUR_US

if TYPE_CHECKING:
    from training.dataset import Dataset
    from training.drift import DriftReport
    from training.run import TrainingResult

#: Changes named on the screen; all of them are in MLflow.
_SHOWN = 5


@click.command()
@click.option(
    "--as-of",
    metavar="TIME",
    help="Learn only from what was known then, RFC 3339.  [default: this hour]",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the fits.")
@click.option("--force", is_flag=True, help="Train although nothing new is known.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@author_option
@click.pass_obj
def command(
    home: Home, *, as_of: str | None, seed: int, force: bool, as_json: bool, author: str
) -> int:
    """Look for drift, train, hold against every gate, and promote or say why not.

    Safe to schedule: one at a time, and nothing happens (exit 0) if no unit is new. Ends with 3 if
    a gate fails; the champion is then what it was.
    """
    from commands.train import progress, verdict
    from commands.training_data import load_dataset, load_gates, load_stakes
    from commands.training_table import print_result, result_json
    from training.run import train
    from training.run_log import data_digest

    as_of_us = as_of_moment(as_of) // HOUR_US * HOUR_US
    limits = load_gates(home)
    with _one_at_a_time(home):
        with progress() as notice:
            dataset = load_dataset(home, as_of_us, notice)
            known = _trained_on(home, data_digest(dataset))
            if known is not None and not force:
                return _nothing_new(known, as_json=as_json)
            notice("looking for drift")
            drift = _drift(home, dataset)
            stakes = load_stakes(home, as_of_us)
            result = train(dataset, home, seed=seed, settings=limits, stakes=stakes, notice=notice)
        if result.promoted and home.ledger.exists():
            _record(home, result, author)
        if as_json:
            told = {} if drift is None else {"drift": drift.plain()}
            click.echo(json.dumps(json.loads(result_json(dataset, result)) | told))
        else:
            _tell(drift)
            print_result(dataset, result)
    return verdict(result, promote=True)


@contextmanager
def _one_at_a_time(home: Home) -> Iterator[None]:
    path = home.root / "run" / "retrain.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ReadOnlyHome(
            f"{path.parent} cannot be written.", "Check the home's owner and mode."
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise HomeInUse(
                "Another `flyball retrain` of this home is running.", "Let it finish."
            ) from error
        yield
    finally:
        os.close(lock)


def _trained_on(home: Home, digest: str) -> int | None:
    """The newest version if it learned from the very same units and features."""
    from features.catalogue import feature_hash
    from training.registry import Registry
    from training.tracking import store_of

    versions = Registry(store_of(home)).versions()
    if not versions or versions[0].feature_hash != feature_hash():
        return None
    return versions[0].version if versions[0].tags.get("data") == digest else None


def _nothing_new(version: int, *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"version": version, "promoted": False, "new": False}))
    click.echo(f"Nothing is new since version {version} was trained; nothing done.", err=True)
    return 0


def _drift(home: Home, dataset: Dataset) -> DriftReport | None:
    """Drift since the champion learned, logged; None without a readable champion."""
    from flyball.errors import BundleError, NotFound
    from models.bundle import open_bundle
    from models.signature import load_public_key
    from training.drift import find_drift
    from training.drift_log import log_drift
    from training.registry import CHAMPION, Registry
    from training.tracking import store_of

    store = store_of(home)
    champion = Registry(store).holder(CHAMPION)
    if champion is None:
        return None
    try:
        with Registry(store).bundle(champion.version) as directory:
            bundle = open_bundle(directory, load_public_key(home.verify_key), probe=False)
    except (BundleError, NotFound) as error:
        click.echo(f"! no drift report: {error.message}", err=True)
        return None
    report = find_drift(dataset, bundle)
    log_drift(store, report, champion.bundle)
    return report


def _tell(drift: DriftReport | None) -> None:
    if drift is None:
        click.echo("drift: there is no champion to compare with")
    elif drift.absent:
        click.echo(f"drift: cannot tell, {drift.absent}")
    elif not drift.drifted:
        click.echo(f"drift: none in {len(drift.findings)} figures")
    else:
        named = ", ".join(
            f"{each.name} {each.figure:.3g} (beyond {each.threshold:.3g})"
            for each in drift.drifted[:_SHOWN]
        )
        click.echo(f"drift: {len(drift.drifted)} of {len(drift.findings)} figures: {named}")


def _record(home: Home, result: TrainingResult, author: str) -> None:
    from ledger.sqlite_ledger import open_ledger

    with open_ledger(home) as ledger:
        ledger.append_audit(
            now_us=wall_clock_us(),
            author=author,
            action="model.promote",
            target=result.bundle_version,
            reason="flyball retrain: every gate passed",
            after=result.bundle_version,
        )
