"""The page ``docs/reference/features.md``, written from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEAD = """# Features

Written by `python -m features.compiler` from `features/definitions/`; do not edit.

A feature is a function of what had arrived by an as-of hour. A window of *k* days is the *k*
complete UTC days before the as-of day and that day so far; means divide by exactly that span.
Missing values are NULL; models treat them as missing, never as 0.
"""


def page(catalogue: Mapping[str, Any]) -> str:
    """Markdown with one table per factor group and one of the context columns."""
    parts = [_HEAD]
    for group in catalogue["groups"]:
        members = [each for each in catalogue["features"] if each["group"] == group["name"]]
        parts.append(f"## {group['title']} (`{group['name']}`)\n")
        parts.append("| feature | unit | window | missing when | meaning | version |")
        parts.append("|---|---|---|---|---|---|")
        parts += [
            f"| `{each['name']}` | {each['unit']} | {each['window']} | {each['null']} "
            f"| {each['description']} | {each['version']} |"
            for each in members
        ]
        parts.append("")
    parts.append("## Context columns\n")
    parts.append("Read by decisions and effects, never by the risk models.\n")
    parts.append("| column | type | unit | meaning |")
    parts.append("|---|---|---|---|")
    parts += [
        f"| `{each['name']}` | {each['type']} | {each['unit']} | {each['description']} |"
        for each in catalogue["context"]
    ]
    return "\n".join(parts) + "\n"
