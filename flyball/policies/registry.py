"""Policies by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from flyball.errors import InvalidInput
from flyball.policies.constant import Constant
from flyball.policies.relax import Relax
from flyball.policies.risk_rule import RiskRule
from flyball.policies.segment import Segment
from flyball.policies.static import Static
from flyball.policies.value import Value
from flyball.policy import Policy

#: Name to the class that makes the policy; its fields are the parameters. Simplest first.
POLICIES: Mapping[str, Callable[..., Policy]] = {
    "static": Static,
    "constant": Constant,
    "relax": Relax,
    "risk_rule": RiskRule,
    "segment": Segment,
    "value": Value,
}


def policy_named(name: str, **parameters: Any) -> Policy:
    """Make a policy.

    Parameters
    ----------
    name:
        One of :data:`POLICIES`.
    parameters:
        The policy's own; what is left out is its default.

    Raises
    ------
    InvalidInput
        Unknown policy or parameter, or a parameter out of range.

    Examples
    --------
    >>> policy_named("constant", arm=85).version
    '1:85'
    """
    make = POLICIES.get(name)
    if make is None:
        near = get_close_matches(str(name), POLICIES, n=1)
        raise InvalidInput(
            f"There is no policy {str(name)[:64]!r}.",
            f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(POLICIES)}.",
            field="policy",
            code="unknown_policy",
        )
    known = [item.name for item in fields(make)]  # type: ignore[arg-type]
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise InvalidInput(
            f"The policy {name} has no parameter {unknown[0]!r}.",
            f"Known are: {', '.join(known)}." if known else "It has none.",
            field=unknown[0],
            code="unknown_parameter",
        )
    try:
        return make(**parameters)
    except TypeError as error:
        raise InvalidInput(
            f"The policy {name} needs a parameter that is missing.",
            f"Known are: {', '.join(known)}.",
            field=name,
        ) from error
