"""Endpoints with a weight or a limit of their own, as a plan states them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from flyball.errors import InvalidInput

#: Most endpoints that one limit may single out: every answer carries them.
MAX_ENDPOINTS = 64
#: Largest weight of one request.
MAX_WEIGHT = 1_000_000

_PATTERN = re.compile(r"(?:[A-Z]{3,16} )?/[!#-)+-\[\]-~]{0,200}\*?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What a request to some of the API's paths costs, and how many of them there may be.

    Parameters
    ----------
    pattern:
        A path (``/v1/exports``), or with a final ``*`` any path that begins so; a method and a
        space may stand before it (``POST /v1/exports``).
    weight:
        Units of the meter's limit that one request costs (0..1,000,000).
    base, contract:
        The endpoint's own limit in requests over the meter's window, and what was promised of it
        (1..base; missing means ``base``). Both None: only the meter's limit counts.
    """

    pattern: str
    weight: int = 1
    base: int | None = None
    contract: int | None = None

    def __post_init__(self) -> None:
        if not _PATTERN.fullmatch(self.pattern):
            raise InvalidInput(
                f"endpoint {self.pattern[:64]!r} is not a path such as /v1/search* or "
                "POST /v1/exports.",
                "A star may stand at the end only; quotes, backslashes and spaces may not occur.",
                field="endpoints",
                code="bad_endpoint",
            )
        if not 0 <= self.weight <= MAX_WEIGHT:
            raise InvalidInput(
                f"endpoint {self.pattern}: weight {self.weight} must lie in 0..{MAX_WEIGHT}.",
                field="endpoints",
                code="bad_endpoint",
            )
        if self.contract is not None and self.base is None:
            raise InvalidInput(
                f"endpoint {self.pattern} states a contract limit, but no base limit.",
                "Add base, or leave both out.",
                field="endpoints",
                code="bad_limit",
            )


class Named(Protocol):
    """Whatever has a pattern: an endpoint of a plan, or of a decision."""

    @property
    def pattern(self) -> str: ...


_Some = TypeVar("_Some", bound=Named)


def endpoint_for(endpoints: Iterable[_Some], method: str, path: str) -> _Some | None:
    """The endpoint that a request counts for; None where none matches.

    The longest path wins; of two alike one that names the method, then one without a star.

    Parameters
    ----------
    method:
        In capitals, such as ``GET``.
    path:
        As the gateway routes it: decoded and normalised, since ``//v1/exports`` is another path.
        A query is cut off.

    Examples
    --------
    >>> rules = [Endpoint(pattern="/v1/*"), Endpoint(pattern="POST /v1/exports", weight=10)]
    >>> endpoint_for(rules, "POST", "/v1/exports?all=1").weight
    10
    >>> endpoint_for(rules, "GET", "/v2/exports") is None
    True
    """
    path = path.partition("?")[0]
    best: tuple[int, bool, bool] = (0, False, False)
    found: _Some | None = None
    for endpoint in endpoints:
        named, _, wanted = endpoint.pattern.rpartition(" ")
        if named and named != method:
            continue
        start = wanted.removesuffix("*")
        exact = start == wanted
        if path != wanted if exact else not path.startswith(start):
            continue
        rank = (len(start), bool(named), exact)
        if rank > best:
            best, found = rank, endpoint
    return found


def endpoints_from(entry: object) -> tuple[Endpoint, ...]:
    """Read ``endpoints`` of a plan's limit: pattern to ``{weight, base, contract}``.

    Raises
    ------
    InvalidInput
        Naming the endpoint.
    """
    if entry is None:
        return ()
    if not isinstance(entry, Mapping):
        raise InvalidInput("endpoints must map patterns to objects.", field="endpoints")
    if len(entry) > MAX_ENDPOINTS:
        raise InvalidInput(
            f"A limit may single out {MAX_ENDPOINTS} endpoints, not {len(entry)}.",
            "Use patterns with a final star.",
            field="endpoints",
            code="bad_endpoint",
        )
    found = []
    for pattern, raw in entry.items():
        if not isinstance(raw, Mapping):
            raise InvalidInput(f"endpoint {pattern} must be an object.", field="endpoints")
        unknown = sorted(raw.keys() - {"weight", "base", "contract"})
        if unknown:
            raise InvalidInput(
                f"endpoint {pattern}: {unknown[0]} is not known.",
                "An endpoint has weight, base and contract.",
                field="endpoints",
                code="bad_endpoint",
            )
        numbers = {key: raw[key] for key in raw if raw[key] is not None}
        for key, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, int):
                raise InvalidInput(
                    f"endpoint {pattern}: {key} must be a whole number.",
                    field="endpoints",
                    code="bad_endpoint",
                )
        base = numbers.get("base")
        found.append(
            Endpoint(
                pattern=str(pattern),
                weight=numbers.get("weight", 1),
                base=base,
                contract=numbers.get("contract", base),
            )
        )
    return tuple(found)
