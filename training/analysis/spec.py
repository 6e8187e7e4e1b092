"""What the columns of a plain table mean, as read from TOML (docs/reference/effects-spec.md)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flyball.errors import InvalidInput

#: Single columns that a spec may name.
_COLUMNS = ("cluster", "segment", "plan", "tenant", "period", "money", "propensity")
_LISTS = ("features", "categories", "strata")
_TABLES = ("outcomes", "dose", "propensities", "worth")
_KNOWN = {"arm", "neutral", "title", *_COLUMNS, *_LISTS, *_TABLES}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """The meaning of a table's columns.

    Parameters
    ----------
    arm, neutral:
        Column of the assigned arm, and the arm that effects are measured against.
    outcomes:
        Name → column; 0/1 or any number.
    dose:
        Arm → dose: a number, or the column that holds each row's. Empty: the arm's label is a
        number and its distance from ``neutral`` is the dose.
    propensities:
        Arm → column with the chance of that arm. Or ``strata``: columns within which the draw had
        one distribution, which is then estimated by frequency. Or, with two arms, ``propensity``:
        the column with the assigned arm's chance.
    features, categories:
        Numeric columns, and columns to be turned into one 0/1 feature a value.
    cluster, segment, plan, tenant, period, money:
        Optional columns: rows that are not independent; groups whose effects may differ; who and
        when (for carry-over); what a row earned.
    worth:
        Outcome → what one is worth, to price policies where there is no money column.
    """

    arm: str
    neutral: str
    outcomes: Mapping[str, str]
    title: str = ""
    dose: Mapping[str, float | str] = field(default_factory=dict)
    propensities: Mapping[str, str] = field(default_factory=dict)
    propensity: str = ""
    strata: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    cluster: str = ""
    segment: str = ""
    plan: str = ""
    tenant: str = ""
    period: str = ""
    money: str = ""
    worth: Mapping[str, float] = field(default_factory=dict)

    def columns(self) -> tuple[str, ...]:
        """Every column that the table must have, without repetition."""
        named = [getattr(self, name) for name in _COLUMNS]
        doses = [value for value in self.dose.values() if isinstance(value, str)]
        every = (self.arm, *named, *self.strata, *self.features, *self.categories)
        every = (*every, *self.outcomes.values(), *self.propensities.values(), *doses)
        return tuple(dict.fromkeys(name for name in every if name))


def read_spec(path: Path) -> TableSpec:
    """Read a spec file.

    Raises
    ------
    InvalidInput
        It is not TOML, misses something, or names something unknown.
    """
    try:
        return spec_of(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.", field="spec") from error


def spec_of(given: Mapping[str, Any]) -> TableSpec:
    """A spec from parsed TOML; the errors are those of :func:`read_spec`."""
    unknown = sorted(set(given) - _KNOWN)
    if unknown:
        raise InvalidInput(
            f"The spec has {', '.join(unknown)}, which mean nothing.",
            f"Known are {', '.join(sorted(_KNOWN))}.",
            field=unknown[0],
        )
    for name in ("arm", "neutral", "outcomes"):
        if not given.get(name):
            raise InvalidInput(f"The spec does not say {name}.", _HINT, field=name)
    for name in _LISTS:
        if not isinstance(given.get(name, []), list):
            raise InvalidInput(f"{name} must be a list of columns.", field=name)
    for name in _TABLES:
        if not isinstance(given.get(name, {}), dict):
            raise InvalidInput(f"[{name}] must be a table.", _HINT, field=name)
    ways = [name for name in ("propensities", "propensity", "strata") if given.get(name)]
    if len(ways) != 1:
        said = " and ".join(ways) or "none of them"
        raise InvalidInput(
            f"The spec must say in one way how arms were drawn, not with {said}.",
            "Give [propensities], strata, or (with two arms) propensity.",
            field="propensities",
        )
    every: dict[str, Any] = {
        name: str(given.get(name, "")) for name in (*_COLUMNS, "title", "arm", "neutral")
    }
    every |= {name: tuple(map(str, given.get(name, []))) for name in _LISTS}
    outcomes = {str(name): str(column) for name, column in given["outcomes"].items()}
    return TableSpec(
        **every,
        outcomes=outcomes,
        dose={str(a): v if isinstance(v, str) else float(v) for a, v in _table(given, "dose")},
        propensities={str(arm): str(column) for arm, column in _table(given, "propensities")},
        worth={str(name): float(value) for name, value in _table(given, "worth")},
    )


_HINT = "docs/reference/effects-spec.md shows a whole one."


def _table(given: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    return list(given.get(name, {}).items())
