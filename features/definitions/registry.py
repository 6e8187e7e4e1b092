"""How a function becomes a feature: its name is the output, its parameters are the inputs.

A parameter is a relation of :mod:`features.definitions.relations` (then the function aggregates it
to one number per subject), a column of the subject, or another definition.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Definition:
    """One node: a ``measure`` (intermediate), a ``context`` column or a ``feature``."""

    name: str
    kind: str
    function: Function
    inputs: tuple[str, ...]
    description: str
    unit: str = ""
    window: str = ""
    null: str = ""
    group: str = ""
    version: int = 1


@dataclass(slots=True)
class Registry:
    """All definitions, in the order in which they were made."""

    definitions: dict[str, Definition] = field(default_factory=dict)

    def add(self, kind: str, function: Function, **facts: Any) -> Function:
        """Register ``function`` under its own name; a name can be used once."""
        name = function.__name__
        if name in self.definitions:
            raise ValueError(f"{name} is defined twice")
        description = inspect.getdoc(function)
        inputs = facts.pop("inputs", None) or tuple(inspect.signature(function).parameters)
        if not description:
            raise ValueError(f"{name} needs a docstring: it is the definition")
        self.definitions[name] = Definition(
            name=name,
            kind=kind,
            function=function,
            inputs=inputs,
            description=" ".join(description.split()),
            **facts,
        )
        return function

    def of_kind(self, kind: str) -> list[Definition]:
        """Definitions of one kind, in order."""
        return [each for each in self.definitions.values() if each.kind == kind]


#: What the definition modules register into when they are imported.
REGISTRY = Registry()


def measure(function: Function) -> Function:
    """Register an intermediate number that features are made of; it is not an output."""
    return REGISTRY.add("measure", function)


def context(*, unit: str, inputs: tuple[str, ...] | None = None) -> Callable[[Function], Function]:
    """Register a column that decisions and effects need but that no risk model sees.

    ``inputs`` names the parameters of a function that is made in a loop and takes keywords.
    """
    return lambda function: REGISTRY.add("context", function, unit=unit, inputs=inputs)


def feature(
    *, group: str, unit: str, window: str, null: str, version: int = 1
) -> Callable[[Function], Function]:
    """Register a feature.

    Parameters
    ----------
    group:
        The human factor group that it is explained under.
    unit:
        Unit of the value (``share``, ``day``, ``1`` for pure ratios).
    window:
        How far back it looks (``28d``, ``now``).
    null:
        When it is missing (``never`` if it always has a value).
    version:
        Raised whenever the meaning changes under the same name.
    """

    def register(function: Function) -> Function:
        return REGISTRY.add(
            "feature",
            function,
            group=group,
            unit=unit,
            window=window,
            null=null,
            version=version,
        )

    return register
