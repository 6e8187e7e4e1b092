"""The catalogue of features as it was compiled: names, meanings, factor groups, contract hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

from flyball.errors import NotFound


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: a float64 column of the feature table, NULL where missing.

    ``window`` says how far back it looks, ``null`` when it is missing, ``version`` is raised when
    its meaning changes under the same name.
    """

    name: str
    group: str
    unit: str
    window: str
    null: str
    version: int
    description: str


@dataclass(frozen=True, slots=True)
class ContextColumn:
    """A column that decisions and effects read, and risk models do not; ``type`` is DuckDB's."""

    name: str
    type: str
    unit: str
    description: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything known about the feature table's columns, in their order."""

    features: tuple[Feature, ...]
    context: tuple[ContextColumn, ...]
    groups: tuple[tuple[str, str], ...]

    def feature(self, name: str) -> Feature:
        """The feature called ``name``; NotFound if there is none."""
        for each in self.features:
            if each.name == name:
                return each
        raise NotFound(f"There is no feature {name!r}.", "`flyball features` lists them.")


def read_text(name: str) -> str:
    """The text of a file that the compiler wrote into this package."""
    return resources.files("features").joinpath(name).read_text("utf-8")


@cache
def catalogue() -> Catalogue:
    """Read the compiled catalogue once."""
    raw = json.loads(read_text("catalogue.json"))
    return Catalogue(
        features=tuple(Feature(**each) for each in raw["features"]),
        context=tuple(ContextColumn(**each) for each in raw["context"]),
        groups=tuple((each["name"], each["title"]) for each in raw["groups"]),
    )


@cache
def feature_sql() -> str:
    """The compiled SQL, with ``$first_day`` and ``$last_day`` still in it."""
    return read_text("sql/features.sql")


def feature_names() -> tuple[str, ...]:
    """Feature columns in the order of the table and of every model's input."""
    return tuple(each.name for each in catalogue().features)


def context_names() -> tuple[str, ...]:
    """Context columns in the order of the table."""
    return tuple(each.name for each in catalogue().context)


def factor_groups() -> dict[str, tuple[str, ...]]:
    """Factor group to the names of its features; together the groups hold each feature once."""
    features = catalogue().features
    return {
        group: tuple(each.name for each in features if each.group == group)
        for group, _ in catalogue().groups
    }


def group_titles() -> dict[str, str]:
    """Factor group to the words that people see."""
    return dict(catalogue().groups)


@cache
def feature_hash() -> str:
    """16 hex digits that change whenever a feature's meaning, order or SQL changes.

    Wording is left out: correcting a description must not invalidate a model.
    """
    facts = [
        [each.name, each.unit, each.window, each.null, each.version]
        for each in catalogue().features
    ]
    text = json.dumps(facts, separators=(",", ":")) + feature_sql()
    return hashlib.sha256(text.encode()).hexdigest()[:16]
