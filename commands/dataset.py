"""``flyball dataset``: the feature table as of a time, for anyone's own tools."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from commands.moment import as_of_moment
from flyball.errors import InvalidInput, NotFound, StorageError
from flyball.home import Home
from flyball.instant import HOUR_US, format_instant

_SUFFIXES = (".parquet", ".csv")


@click.command()
@click.option(
    "--as-of",
    metavar="TIME",
    help="Only what was known by then, RFC 3339; cut to the whole hour.  [default: this hour]",
)
@click.option(
    "--tenants",
    metavar="ID,...",
    help="Only these tenants, comma-separated.  [default: all with an account by then]",
)
@click.option(
    "--decisions",
    is_flag=True,
    help="One row per logged live decision instead: its arm, propensity, offered arms, doses and "
    "outcome, with the features as of its start.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: .parquet or .csv.",
)
@click.pass_obj
def command(
    home: Home, *, as_of: str | None, tenants: str | None, decisions: bool, out: Path
) -> None:
    """Write the feature table of every tenant as of a time.

    The same code computes it for training and for live decisions; `flyball features` says what the
    columns mean.
    """
    if out.suffix not in _SUFFIXES:
        raise InvalidInput(
            f"--out {out} does not say a format.",
            f"Let it end in {' or '.join(_SUFFIXES)}.",
            field="out",
        )
    as_of_us = as_of_moment(as_of) // HOUR_US * HOUR_US
    wanted = None if tenants is None else {each for each in tenants.split(",") if each}
    table = _decided(home, as_of_us) if decisions else _features(home, as_of_us, wanted)
    if decisions and wanted is not None:
        table = table.filter([each in wanted for each in table["tenant_id"].to_pylist()])
    _write(table, out)
    click.echo(
        f"{table.num_rows:,} rows by {table.num_columns} columns as of {format_instant(as_of_us)}"
        f" in {out}",
        err=True,
    )


def _features(home: Home, as_of_us: int, wanted: Collection[str] | None) -> Any:
    """The feature table (docs/reference/data-model.md) of the wanted or of all tenants."""
    from ledger.sqlite_ledger import read_ledger
    from serving.relations import connect, features_at

    with read_ledger(home) as ledger:
        known = ledger.accounts_as_of(as_of_us)
        if not known:
            raise NotFound(
                f"Nobody had an account as of {format_instant(as_of_us)}.",
                "Give a later --as-of, or import accounts first.",
            )
        unknown = sorted(set(wanted or ()) - set(known))
        if unknown:
            raise NotFound(
                f"No account as of {format_instant(as_of_us)}: {', '.join(unknown[:5])}"
                f"{' ...' if len(unknown) > 5 else ''}.",
                "Leave out --tenants for all that are known.",
            )
        with connect(home, ledger, as_of_us=as_of_us, tenants=wanted) as connection:
            return features_at(connection, wanted or set(known), as_of_us // HOUR_US)


def _decided(home: Home, as_of_us: int) -> Any:
    """The labelled training table, one row per live decision with a known outcome."""
    from commands.training_data import load_dataset

    return load_dataset(home, as_of_us).rows


def _write(table: Any, out: Path) -> None:
    """Write ``table``, whole or not at all."""
    from pyarrow import csv, parquet

    written = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        if out.suffix == ".csv":
            csv.write_csv(table, str(written))
        else:
            parquet.write_table(table, str(written), compression="zstd")
        written.replace(out)
    except OSError as error:
        raise StorageError(
            f"{out} cannot be written: {error.strerror or error}.",
            "Choose another place with --out.",
        ) from error
    finally:
        written.unlink(missing_ok=True)
