"""The wire writes camelCase, Python and tables snake_case; one place turns one into the other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


def snake(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same object with its own keys in snake_case; keys of nested objects are names, kept.

    Examples
    --------
    >>> snake({"monthlyPriceMinor": 1, "limits": {"api.requests": {"base": 5}}})
    {'monthly_price_minor': 1, 'limits': {'api.requests': {'base': 5}}}
    """
    return {_HUMP.sub(r"_\1", str(key)).lower(): value for key, value in document.items()}
