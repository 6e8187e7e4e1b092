"""Compile the definitions into the checked-in SQL, catalogue and page.

A development tool (``python -m features.compiler``, extra ``compile``); nothing imports it at run
time. ``--check`` writes nothing and exits 1 if a checked-in file is out of date.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from features.definitions.registry import REGISTRY, Definition
from features.definitions.relations import tables
from features.definitions.relations.records import (
    changes,
    decisions,
    incidents,
    interventions,
    tickets,
)
from features.definitions.relations.stages import Stages
from features.definitions.relations.subject import subject
from features.definitions.relations.usage import days, keys, meters, shares
from features.reference import page

#: Modules of definitions; the order of features in the table and in every model's input.
MODULES = (
    "demand",
    "arms",
    "consumption",
    "trajectory",
    "friction",
    "engagement",
    "commercial",
    "support",
)
#: Factor groups in the words that people see.
GROUPS = {
    "consumption": "Use of the limit",
    "trajectory": "Growth of demand",
    "friction": "Throttling felt",
    "engagement": "Engagement",
    "commercial": "Contract and price",
    "support": "Support and incidents",
}
RELATIONS: Mapping[str, Callable[[Any, Stages], Any]] = {
    "days": days,
    "shares": shares,
    "meters": meters,
    "decisions": decisions,
    "tickets": tickets,
    "changes": changes,
    "interventions": interventions,
    "incidents": incidents,
}
#: Columns taken from the account as they are: name, type, unit, meaning.
ACCOUNT_CONTEXT = (
    ("plan", "VARCHAR", "", "The plan in force; missing where no account was known."),
    ("segment", "VARCHAR", "", "The account's segment."),
    ("parent_org", "VARCHAR", "", "The account's parent organisation."),
    ("organisation", "VARCHAR", "", "Parent organisation, or the tenant itself."),
    ("region", "VARCHAR", "", "The account's region."),
    ("base_limit", "BIGINT", "unit", "Base limit of the primary meter per window."),
    ("contract_limit", "BIGINT", "unit", "Contract limit of the primary meter per window."),
    ("window_seconds", "BIGINT", "second", "Length of the limit's window."),
    ("mrr", "DOUBLE", "currency", "Monthly recurring revenue, or the list price."),
)
_TYPES = {"coarse": "BOOLEAN"}
_ROOT = Path(__file__).parent
SQL_FILE = _ROOT / "sql" / "features.sql"
CATALOGUE_FILE = _ROOT / "catalogue.json"
PAGE_FILE = _ROOT.parent / "docs" / "reference" / "features.md"


def load() -> list[Definition]:
    """Import every definition module and return all definitions in order."""
    for module in MODULES:
        importlib.import_module(f"features.definitions.{module}")
    return list(REGISTRY.definitions.values())


def _relation_of(definition: Definition) -> str | None:
    """The relation that a definition aggregates, or None if it works row by row."""
    found = [name for name in definition.inputs if name in RELATIONS]
    if found and len(definition.inputs) > 1:
        raise ValueError(f"{definition.name} takes {found[0]} and must take nothing else")
    return found[0] if found else None


def _aggregated(definitions: list[Definition], base: Any, stages: Stages) -> Any:
    """``base`` with one column for each definition that aggregates a relation."""
    keys(base, stages)
    joined, columns = base, [base]
    for name, build in RELATIONS.items():
        wanted = [each for each in definitions if _relation_of(each) == name]
        relation = stages.add(name, build(base, stages))
        totals = relation.group_by("sid").aggregate(
            **{each.name: each.function(relation) for each in wanted}
        )
        totals = stages.add(f"of_{name}", totals)
        joined = joined.left_join(totals, base.sid == totals.sid, rname=f"{{name}}_of_{name}")
        columns += [totals[each.name] for each in wanted]
    return stages.add("measured", joined.select(*columns))


def _derived(definitions: list[Definition], table: Any, stages: Stages) -> Any:
    """``table`` with the row-wise definitions, each level once its inputs are there."""
    waiting = [each for each in definitions if _relation_of(each) is None]
    outputs = set(_output_columns())
    level = 0
    while waiting:
        ready = [each for each in waiting if set(each.inputs) <= set(table.columns)]
        if not ready:
            missing = {i for each in waiting for i in each.inputs} - set(table.columns)
            unknown = sorted(missing - {each.name for each in waiting})
            raise ValueError(f"no input called {unknown}" if unknown else "inputs form a circle")
        new = {each.name: each.function(**{i: table[i] for i in each.inputs}) for each in ready}
        waiting = [each for each in waiting if each not in ready]
        needed = outputs | {i for each in waiting for i in each.inputs}
        kept = [column for column in table.columns if column in needed]
        level += 1
        table = stages.add(f"derived_{level}", table.select(*kept, **new))
    return table


def _output_columns() -> list[str]:
    """Columns of the feature table, in order."""
    names = ["tenant_id", "as_of_hour", *(name for name, *_ in ACCOUNT_CONTEXT)]
    names += [each.name for each in REGISTRY.of_kind("context")]
    return names + [each.name for each in REGISTRY.of_kind("feature")]


def stages() -> Stages:
    """The whole feature table as named Ibis expressions over the input relations."""
    definitions = load()
    steps = Stages()
    measured = _aggregated(definitions, subject(steps), steps)
    table = _derived(definitions, measured, steps)
    real = [table[each.name].cast("float64") for each in REGISTRY.of_kind("feature")]
    columns = _output_columns()[: -len(real)]
    steps.add("features", table.select(*columns, *real).order_by("tenant_id", "as_of_hour"))
    return steps


def compiled_sql(dialect: str = "duckdb") -> str:
    """The SQL text; ``$first_day`` and ``$last_day`` are the days of the spine's extremes."""
    sql = stages().sql(dialect)
    sql = sql.replace(str(tables.FIRST_DAY_SENTINEL), "$first_day")
    sql = sql.replace(str(tables.LAST_DAY_SENTINEL), "$last_day")
    return f"-- Written by `python -m features.compiler`; edit features/definitions/.\n{sql}\n"


def catalogue() -> dict[str, object]:
    """What the run time needs to know about every column, as JSON."""
    load()
    columns: list[dict[str, object]] = [
        {"name": name, "type": kind, "unit": unit, "description": description}
        for name, kind, unit, description in ACCOUNT_CONTEXT
    ]
    columns += [
        {
            "name": each.name,
            "type": _TYPES.get(each.name, "DOUBLE"),
            "unit": each.unit,
            "description": each.description,
        }
        for each in REGISTRY.of_kind("context")
    ]
    features = [
        {
            "name": each.name,
            "group": each.group,
            "unit": each.unit,
            "window": each.window,
            "null": each.null,
            "version": each.version,
            "description": each.description,
        }
        for each in REGISTRY.of_kind("feature")
    ]
    groups = [{"name": name, "title": title} for name, title in GROUPS.items()]
    return {"format": 1, "groups": groups, "context": columns, "features": features}


def outputs() -> dict[Path, str]:
    """Every file that this compiler writes, with its content."""
    described = catalogue()
    return {
        SQL_FILE: compiled_sql(),
        CATALOGUE_FILE: json.dumps(described, indent=1, ensure_ascii=False) + "\n",
        PAGE_FILE: page(described),
    }


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` name those that are out of date."""
    stale = [
        path
        for path, text in outputs().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    for path in stale:
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(outputs()[path], "utf-8")
        print(f"{'out of date' if '--check' in arguments else 'wrote'}: {path.name}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
