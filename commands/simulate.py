"""``flyball simulate``: policies in worlds whose true effects are known."""

from __future__ import annotations

import json
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flyball.errors import InvalidInput
from flyball.home import Home

if TYPE_CHECKING:
    from commands.simulated_world import Task
    from simulation.report.grid import Block

_CONSTANTS = "constant_70,constant_85,constant_115,constant_130"
_POLICIES = f"static,{_CONSTANTS},oracle,exploring_oracle,risk_rule,value"
_SERIES = Path("../shared/data/nab_telemetry")
_QUICK = {
    "families": "smooth,habit,null",
    "tenants": "600",
    "seeds": "1,2",
    "policies": f"static,{_CONSTANTS},oracle,exploring_oracle,value",
}


@click.command("simulate")
@click.option("--families", help="Families of response, comma-separated.  [default: all]")
@click.option(
    "--policies", default=_POLICIES, show_default=True,
    help="static, oracle, exploring_oracle, constant_ARM, reckless, or the product's own by name "
    "(value@0.6: with a harm budget of 0.6 percent).",
)  # fmt: skip
@click.option("--tenants", default="1500", show_default=True, help="Sizes, comma-separated.")
@click.option("--seeds", default="1,2,3,4,5", show_default=True, help="Seeds, comma-separated.")
@click.option(
    "--weeks", type=click.IntRange(1, 26), default=26, show_default=True,
    help="Weeks of closed loop after 26 weeks of logged exploration.",
)  # fmt: skip
@click.option(
    "--epsilon", type=click.FloatRange(0.0, 0.2), default=0.05, show_default=True,
    help="Exploration of the product's policies in the closed loop; 0: none, and no holdout.",
)  # fmt: skip
@click.option(
    "--quick", is_flag=True,
    help="Three families, 600 tenants, two seeds, unless another option says otherwise.",
)  # fmt: skip
@click.option(
    "--series", envvar="FLYBALL_SERIES",
    help="Folder of real series that demand takes its shapes from; none: generate them.  "
    "[default: ../shared/data/nab_telemetry if there is one]",
)  # fmt: skip
@click.option(
    "--gaming", is_flag=True,
    help="Also search for the strategy by which tenants gain most quota from the judged policy.",
)  # fmt: skip
@click.option(
    "--http", "over_http", is_flag=True,
    help="Prove the service instead: live the first world with `flyball serve`, over HTTP only.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 256), help="Worlds at a time.  [default: cores]")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="File for all figures.")
@click.option("--out", type=click.Path(path_type=Path), help="File for the HTML report.")
@click.option("--fresh", is_flag=True, help="Do again what has a result already.")
@click.pass_context
def command(
    context: click.Context,
    *,
    families: str | None,
    policies: str,
    tenants: str,
    seeds: str,
    weeks: int,
    epsilon: float,
    quick: bool,
    series: str | None,
    gaming: bool,
    over_http: bool,
    jobs: int | None,
    json_file: Path | None,
    out: Path | None,
    fresh: bool,
) -> None:
    """Play policies in worlds whose true effects are known, and compare them.

    Results are kept below the home directory; the same command takes up what is missing.
    """
    from commands.child import ended_in_order
    from commands.simulation_grid import alone, run_grid, unfinished
    from commands.simulation_result import (
        print_blocks,
        print_criteria,
        print_games,
        write_report,
    )
    from simulation.report.games import most_gained
    from simulation.responses.families import FAMILIES

    asked = {
        "families": families or ",".join(FAMILIES),
        "policies": policies,
        "tenants": tenants,
        "seeds": seeds,
    }
    if quick:
        default = click.core.ParameterSource.DEFAULT
        asked |= {k: v for k, v in _QUICK.items() if context.get_parameter_source(k) is default}
    home: Home = context.obj
    tasks = _tasks(home, asked, weeks=weeks, epsilon=epsilon, gaming=gaming, series=series)
    with ExitStack() as stack:
        stack.enter_context(ended_in_order())
        # Looking at what is there already disturbs nobody.
        if over_http or fresh or unfinished(tasks):
            stack.enter_context(alone(home.root / "simulate"))
        if over_http:
            _serve(home, tasks[0], weeks, json_file)
            return
        if fresh:
            _forget(tasks)
        run_grid(tasks, jobs)
    cells = _cells(tasks)
    blocks = _blocks(cells, tasks)
    games = _games(tasks)
    print_blocks(blocks)
    print_games(games)
    if judged_of(tasks) not in ("static", "oracle", "exploring_oracle"):
        print_criteria(blocks, judged_of(tasks), most_gained(games))
    if json_file is not None:
        _write(json_file, json.dumps({"cells": cells, "gaming": games}, indent=1) + "\n")
    if out is not None:
        settings = {
            **asked,
            "demand": tasks[0].spec.demand,
            "weeks of closed loop": weeks,
            "exploration per arm": epsilon,
        }
        _write(out, write_report(blocks, settings, judged_of(tasks), games))


def _tasks(
    home: Home,
    asked: dict[str, str],
    *,
    weeks: int,
    epsilon: float,
    gaming: bool,
    series: str | None,
) -> list[Task]:
    """One task a world; raises InvalidInput for what cannot be played."""
    from commands.simulated_world import Task
    from simulation.cell import WorldSpec

    families = _families(asked["families"])
    policies = tuple(_policies(asked["policies"]))
    sizes, seeds = _numbers(asked["tenants"], "tenants", 50), _numbers(asked["seeds"], "seeds", 0)
    root = home.root / "simulate"
    folder = _series(series)
    demand = "bootstrapped" if folder else "generated"
    tasks = []
    for size, seed, family in product(sizes, seeds, families):
        spec = WorldSpec(
            family=family, tenants=size, seed=seed, weeks=weeks, epsilon=epsilon, demand=demand
        )
        tasks.append(
            Task(
                spec=spec,
                policies=policies,
                cells=root / f"cells-{weeks}-{epsilon:g}-{demand}",
                work=root / "work" / spec.name,
                gamed=_judged(policies) if gaming else "",
                series=folder,
            )
        )
    return tasks


def _serve(home: Home, task: Task, weeks: int, json_file: Path | None) -> None:
    """One world before a real service; its home is kept for whoever wants to look."""
    from dataclasses import asdict

    from commands.simulated_service import serve_world
    from commands.simulation_result import print_service

    spec = task.spec
    found = serve_world(
        Home(home.root / "simulate" / "service"),
        family=spec.family,
        tenants=spec.tenants,
        seed=spec.seed,
        policy=_judged(task.policies),
        weeks=weeks,
        series=task.series,
        say=lambda text: click.echo(f"  {text}", err=True),
    )
    print_service(found)
    if json_file is not None:
        _write(json_file, json.dumps(asdict(found), indent=1) + "\n")


def _series(asked: str | None) -> str:
    """The folder to take shapes of demand from; empty to generate them."""
    from simulation.series import shapes_in

    if asked == "none" or (asked is None and not _SERIES.is_dir()):
        return ""
    folder = str(Path(asked or _SERIES).resolve())
    try:
        shapes_in(folder)
    except ValueError as error:
        raise InvalidInput(
            f"--series: {error}", "Give another folder, or none to generate.", field="series"
        ) from error
    return folder


def _words(text: str, field: str) -> list[str]:
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not words:
        raise InvalidInput(f"--{field} names nothing.", field=field)
    return words


def _families(text: str) -> list[str]:
    from simulation.responses.families import FAMILIES

    words = _words(text, "families")
    for word in words:
        if word not in FAMILIES:
            raise InvalidInput(
                f"There is no family {word[:64]!r}.",
                f"Known are: {', '.join(FAMILIES)}.",
                field="families",
                code="unknown_family",
            )
    return words


def _policies(text: str) -> list[str]:
    from commands.simulated_policy import simulated_policy
    from simulation.players import player_named

    words = _words(text, "policies")
    for word in words:
        try:
            own = player_named(word)
        except ValueError as error:
            raise InvalidInput(f"{word[:64]}: {error}.", field="policies") from error
        if own is None:
            simulated_policy(word)
    return words


def _numbers(text: str, field: str, least: int) -> list[int]:
    numbers = []
    for word in _words(text, field):
        if not word.isdecimal() or not least <= int(word) <= 1_000_000:
            raise InvalidInput(
                f"--{field} {word[:64]!r} is not a whole number from {least} to 1,000,000.",
                "Write them like 300,1500.",
                field=field,
            )
        numbers.append(int(word))
    return numbers


def judged_of(tasks: list[Task]) -> str:
    """The policy that families are ordered by: value, else the last one asked for."""
    return _judged(tasks[0].policies)


def _judged(policies: tuple[str, ...]) -> str:
    return "value" if "value" in policies else policies[-1]


def _forget(tasks: list[Task]) -> None:
    from simulation.cell import cell_path

    for task in tasks:
        for name in task.policies:
            cell_path(task.cells, task.spec, name).unlink(missing_ok=True)
        if task.gamed:
            cell_path(task.cells, task.spec, task.gaming_cell).unlink(missing_ok=True)


def _cells(tasks: list[Task]) -> list[dict[str, Any]]:
    from simulation.cell import read_cell

    found = [read_cell(task.cells, task.spec, name) for task in tasks for name in task.policies]
    return [cell for cell in found if cell is not None]


def _games(tasks: list[Task]) -> list[dict[str, Any]]:
    from simulation.cell import read_cell

    found = [read_cell(t.cells, t.spec, t.gaming_cell) for t in tasks if t.gamed]
    return [cell for cell in found if cell is not None]


def _blocks(cells: list[dict[str, Any]], tasks: list[Task]) -> list[Block]:
    from simulation.report.grid import blocks

    return blocks(cells, judged_of(tasks))


def _write(path: Path, text: str) -> None:
    from serving.snapshot.disk import storage_errors

    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    click.echo(f"written: {path}", err=True)
