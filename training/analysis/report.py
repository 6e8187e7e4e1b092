"""The analysis for people: Markdown, and the same as one HTML page without outside parts."""

from __future__ import annotations

import html
from collections.abc import Sequence

from training.analysis.analysis import MONEY, Analysis, Answer
from training.estimators.dose_effects import DoseEffects
from training.off_policy.overlap import Refused

_TRUST = ("none", "pooled", "segment", "personal")
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;"
    "color:#222}table{border-collapse:collapse;margin:1em 0}th,td{border-bottom:1px solid #ddd;"
    "padding:.3em .8em;text-align:left;font-variant-numeric:tabular-nums}h1,h2{line-height:1.2}"
)

Table = tuple[Sequence[str], list[Sequence[str]]]


def markdown(analysis: Analysis, title: str = "") -> str:
    """The report as Markdown."""
    lines = [f"# {title or 'Effects of a plain table'}", "", f"**{analysis.verdict}**", ""]
    for heading, note, table in _sections(analysis):
        lines += [f"## {heading}", "", note, ""]
        lines += _markdown_table(table) if table[1] else []
    return "\n".join(lines)


def page(analysis: Analysis, title: str = "") -> str:
    """The report as an HTML page."""
    name = html.escape(title or "Effects of a plain table")
    body = [f"<h1>{name}</h1><p><strong>{html.escape(analysis.verdict)}</strong></p>"]
    for heading, note, table in _sections(analysis):
        body.append(f"<h2>{html.escape(heading)}</h2><p>{html.escape(note)}</p>")
        if table[1]:
            body.append(_html_table(table))
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{name}</title>"
        f"<style>{_STYLE}</style>{''.join(body)}</html>\n"
    )


def _sections(analysis: Analysis) -> list[tuple[str, str, Table]]:
    table = analysis.table
    rows = f"{len(table):,} rows were analysed."
    left = "; ".join(f"{count:,} left out: {why}" for why, count in analysis.dropped.items())
    trust = ", ".join(
        f"{_TRUST[level]} {share:.0%}" for level, share in analysis.trusted.items() if share
    )
    neutral = table.arms[table.neutral]
    found = [
        ("Overlap", f"{rows} {left}".strip(), _overlap(analysis)),
        (
            "Arms",
            f"Difference from arm {neutral}, with 95 % intervals, over rows that were offered "
            "both. SNIPS uses the draw alone; DR also takes away what features explain.",
            _arms(analysis),
        ),
        (
            "Effects per unit of dose",
            f"R-learner: {analysis.fitted.summary}. Trust: {trust}. A closed block's effect is 0.",
            _blocks(analysis),
        ),
    ]
    if analysis.policies:
        note = (
            "Per row, with 95 % intervals. The learned policy was learned from other clusters than "
            f"it is valued on. The difference is from static (arm {neutral}), by DR."
        )
        found.append(("Policies", note, _policies(analysis)))
    found.append(("Limits", _LIMITS, ((), [])))
    return found


_LIMITS = (
    "Effects are of the assigned arm, whatever people did afterwards: calls and discounts that "
    "followed are part of it. They hold for rows that were drawn like these. Not found is not the "
    "same as absent: see the errors."
)


def _overlap(analysis: Analysis) -> Table:
    head = ("arm", "drawn", "offered", "least chance", "mean chance", "effective rows", "mean dose")
    return head, [
        (
            each.arm,
            f"{each.drawn:,}",
            f"{each.offered:.1%}",
            f"{each.least:.3f}",
            f"{each.mean:.3f}",
            f"{each.effective:,.0f}",
            f"{each.dose:.3f}",
        )
        for each in analysis.overlap
    ]


def _arms(analysis: Analysis) -> Table:
    rows: list[Sequence[str]] = []
    for outcome, arms in analysis.arms.items():
        points = outcome in _probabilities(analysis)
        rows += [
            (outcome, arm, _answer(snips, points), _answer(dr, points))
            for arm, (snips, dr) in arms.items()
        ]
    return ("outcome", "arm", "SNIPS", "DR"), rows


def _probabilities(analysis: Analysis) -> set[str]:
    table = analysis.table
    return {name for name, b in zip(table.names, table.binary, strict=True) if b and name != MONEY}


def _blocks(analysis: Analysis) -> Table:
    fitted = analysis.fitted
    head = ("outcome", "slope", "error", "open blocks", "p-values")
    if not isinstance(fitted, DoseEffects):
        return head, []
    return head, [
        (
            each.name,
            f"{each.pooled.estimate:.4g}",
            f"{each.pooled.error:.3g}",
            ", ".join(each.opened) or "none",
            ", ".join(f"{name} {p:.3f}" for name, p in each.p_values.items()),
        )
        for each in fitted.outcomes
    ]


def _policies(analysis: Analysis) -> Table:
    head = ("policy", "moved", "SNIPS value", "DR value", "minus static")
    return head, [
        (
            row.name,
            f"{row.moved:.0%}",
            _answer(row.snips.policy, False),
            _answer(row.dr.policy, False),
            "-" if row.dr.same else _answer(row.dr.difference, False),
        )
        for row in analysis.policies
    ]


def _answer(answer: Answer, points: bool) -> str:
    """An estimate with its interval (percentage points for probabilities), or why there is none."""
    if isinstance(answer, Refused):
        return f"refused: {answer.reason}"
    scale, unit = (100.0, " points") if points else (1.0, "")
    value, low, high = (scale * v for v in (answer.value, answer.low, answer.high))
    return f"{value:.4g}{unit} [{low:.4g}, {high:.4g}]"


def _markdown_table(table: Table) -> list[str]:
    head, rows = table
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    # A bar inside a cell would start another one.
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return [*lines, ""]


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in table[0])
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in table[1]
    )
    return f"<table><tr>{head}</tr>{rows}</table>"
