"""``flyball import``: an import directory into the home, again and again without doubling."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flyball.errors import InvalidInput
from flyball.home import Home

if TYPE_CHECKING:
    from rich.progress import Progress

    from ledger.sqlite_ledger import SqliteLedger
    from telemetry.usage_counts import RowCounts

_DOCUMENTS = ("meters.json", "plans.json", "economics.json")


@click.command("import")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def command(home: Home, directory: Path, as_json: bool) -> None:
    """Import accounts, plans, usage and the rest from DIRECTORY.

    Files may come in any order and again and again: what is known already counts once. Interrupted,
    the same command takes up the rest. See docs/reference/import-directory.md for the files.
    """
    from rich.console import Console

    from commands.import_report import print_report, report_json

    counts, rejects = run_import(home, directory, Console(stderr=True))
    if as_json:
        click.echo(json.dumps(report_json(counts, rejects)))
    else:
        print_report(counts, rejects, Console())
    if not any(c.read > sum(c.rejected.values()) for c in counts.values()):
        where = f" See {rejects}." if rejects else ""
        raise InvalidInput(f"Nothing in {directory} could be used.{where}", _HINT, code="no_rows")


_HINT = "docs/reference/import-directory.md says which files and columns there are."


def run_import(
    home: Home, directory: Path, console: Any
) -> tuple[dict[str, RowCounts], Path | None]:
    """Import everything in ``directory``; returns counts per file and where the rejects are.

    Raises
    ------
    InvalidInput
        There is no such directory, or no file of an import in it.
    StorageError
        The home cannot be written; what was committed before stays.
    """
    from ledger.sqlite_ledger import open_ledger
    from telemetry.rejects_file import RejectsFile

    plan = _Plan(directory)
    import_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    rejects = RejectsFile(home.rejects / f"{import_id}.ndjson")
    try:
        with open_ledger(home) as ledger, _progress(console) as progress:
            counts = _Import(home, ledger, rejects, import_id, progress).run(plan)
    finally:
        rejects.close()
    return counts, rejects.path


class _Plan:
    """The files of an import directory in the order in which one needs the other."""

    def __init__(self, directory: Path) -> None:
        from commands.import_tables import TABLES
        from telemetry.files import table_files
        from telemetry.usage_source import usage_files

        if not directory.is_dir():
            raise InvalidInput(f"{directory} is not a directory.", _HINT, code="no_directory")
        self.directory = directory
        self.documents = [directory / n for n in _DOCUMENTS if (directory / n).is_file()]
        self.tables = [(t, path) for t in TABLES for path in table_files(directory, t.name)]
        self.usage = usage_files(directory)
        if not (self.documents or self.tables or self.usage):
            raise InvalidInput(f"{directory} holds no file of an import.", _HINT, code="no_files")

    def label(self, path: Path) -> str:
        """How the report calls a file."""
        return str(path.relative_to(self.directory))


class _Import:
    """One import under way."""

    def __init__(
        self,
        home: Home,
        ledger: SqliteLedger,
        rejects: Any,
        import_id: str,
        progress: Progress,
    ) -> None:
        from commands.import_tables import TableImport
        from telemetry.sqlite_store import SqliteEventStore

        self._home = home
        self._ledger = ledger
        self._rejects = rejects
        self._import_id = import_id
        self._progress = progress
        self._now_us = time.time_ns() // 1_000
        self._store = SqliteEventStore(home.events)
        self._into_ledger = TableImport(ledger, rejects, self._now_us)

    def run(self, plan: _Plan) -> dict[str, RowCounts]:
        counts: dict[str, RowCounts] = {}
        try:
            self._small(plan, counts)
            self._usage(plan, counts)
            self._release()
            self._fold()
        finally:
            self._store.close()
        return counts

    def _small(self, plan: _Plan, counts: dict[str, RowCounts]) -> None:
        into = self._into_ledger
        for path in plan.documents:
            name = path.name
            if name == "meters.json":
                counts[name] = into.meters(path, name, self._store)
            else:
                read = into.plans if name == "plans.json" else into.economics
                counts[name] = read(path, name)
        for table, path in plan.tables:
            task = self._progress.add_task(table.name, total=None)
            label = plan.label(path)
            counts[label] = into.table(path, label, table, partial(self._progress.advance, task))
            self._progress.update(task, total=counts[label].read, completed=counts[label].read)

    def _usage(self, plan: _Plan, counts: dict[str, RowCounts]) -> None:
        from telemetry.usage_import import import_usage

        if not plan.usage:
            return
        sizes = {path: max(1, path.stat().st_size) for path in plan.usage}
        task = self._progress.add_task("usage", total=sum(sizes.values()))
        done: dict[Path, float] = {}

        def show(path: Path, share: float) -> None:
            done[path] = sizes[path] * share
            self._progress.update(task, completed=sum(done.values()))

        report = import_usage(
            self._home,
            plan.usage,
            names=self._names(),
            now_us=self._now_us,
            import_id=self._import_id,
            rejects=self._rejects,
            base=plan.directory,
            progress=show,
        )
        counts.update(report.files)

    def _names(self) -> Any:
        """Every name that usage may use, with its tenant and when its account began."""
        import pyarrow as pa

        from telemetry.usage_import import NAME_SCHEMA

        created = self._ledger.tenants_created()
        names = {**self._ledger.aliases(), **{tenant: tenant for tenant in created}}
        return pa.table(
            [
                pa.array(list(names), pa.string()),
                pa.array(list(names.values()), pa.string()),
                pa.array([created[tenant] for tenant in names.values()], pa.int64()),
            ],
            schema=NAME_SCHEMA,
        )

    def _release(self) -> None:
        """Events that waited for an account of this import count from now on."""
        from telemetry.store import KnownTenant

        created = self._ledger.tenants_created()

        def resolve(name: str) -> KnownTenant | None:
            tenant = self._ledger.resolve(name)
            return None if tenant is None else KnownTenant(tenant, created[tenant])

        self._store.release(resolve)

    def _fold(self) -> None:
        """Fold what changed, so that the first reader need not wait for it."""
        from ledger.relations import limit_table
        from telemetry.tiles import Tiles

        task = self._progress.add_task("folding tiles", total=None)

        def show(done: int, total: int) -> None:
            self._progress.update(task, completed=done, total=total)

        Tiles(self._home, limit_table(self._ledger)).refresh(progress=show)
        self._progress.update(task, total=1, completed=1)


@contextmanager
def _progress(console: Any) -> Iterator[Progress]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description:<14}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        yield progress
