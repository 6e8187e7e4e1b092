"""Named steps of the one query: each becomes a common table expression under its own name.

Ibis would inline a step that is used twice and write it out twice; naming the steps keeps the SQL
short, readable and computed once.
"""

from __future__ import annotations

from typing import Any

import ibis


class Stages:
    """The steps so far, in the order in which they must be written."""

    def __init__(self) -> None:
        self.expressions: dict[str, Any] = {}

    def add(self, name: str, expression: Any) -> Any:
        """Keep ``expression`` as the step ``name`` and return it as a plain table of that name."""
        if name in self.expressions:
            raise ValueError(f"step {name} exists already")
        self.expressions[name] = expression
        return self.table(name)

    def table(self, name: str) -> Any:
        """The step ``name`` as a plain table."""
        return ibis.table(self.expressions[name].schema(), name=name)

    def sql(self, dialect: str) -> str:
        """One statement: every step but the last as a CTE, then the last."""
        *steps, last = self.expressions.items()
        texts = [
            f"{name} AS (\n{_indented(ibis.to_sql(expression, dialect=dialect))}\n)"
            for name, expression in steps
        ]
        return "WITH " + ",\n".join(texts) + "\n" + str(ibis.to_sql(last[1], dialect=dialect))


def _indented(text: object) -> str:
    return "\n".join(f"  {line}" for line in str(text).splitlines())
