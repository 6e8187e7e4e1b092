"""The report as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from simulation.report.columns import COLUMNS, CONDUCT, MONEY, shown
from simulation.report.criteria import Criterion, criteria
from simulation.report.frontier import frontier
from simulation.report.games import gaming, most_gained
from simulation.report.grid import Block, Line
from simulation.report.plots import gains

_STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2em auto;padding:0 1em;color:#222;
background:#fff}
h2{margin:2em 0 .4em;border-top:1px solid #ddd;padding-top:.8em} h3{font-size:14px;margin:1em 0 0}
table{border-collapse:collapse;margin:.5em 0 1em;font-variant-numeric:tabular-nums;font-size:13px}
th,td{padding:.3em .7em;text-align:right;border-bottom:1px solid #e4e4e4;white-space:nowrap}
th{color:#555;font-weight:600} tr:hover td{background:#f6f6f6}
th:first-child,td:first-child{text-align:left}
.words td,.words th{text-align:left;white-space:normal} .words td:last-child{white-space:nowrap}
.met{color:#1b7a4b} .missed{color:#a3143c;font-weight:600} .not-known{color:#777}
.judged td{background:#eef4fb;font-weight:600} .bad{color:#a3143c}
svg{max-width:100%;font-size:12px;font-family:inherit} .many{display:flex;flex-wrap:wrap;gap:12px}
dt{font-weight:600;float:left;clear:left;width:9em} dd{margin-left:9.5em} .scroll{overflow-x:auto}
"""


def page(
    blocks: Sequence[Block],
    settings: Mapping[str, object],
    judged: str,
    games: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The whole report: worst family first, criteria, families, frontier, what figures mean."""
    tuned = [block for block in blocks if not block.held_out]
    held = [block for block in blocks if block.held_out]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>Flyball: simulated policies</title><style>{_STYLE}</style></head><body>",
        "<h1>Simulated policies</h1>",
        f"<p>{_settings(settings)}. Families are ordered by what <b>{escape(judged)}</b> does in "
        "them, worst first. Nothing is averaged over families.</p>",
        _overview(tuned, judged),
        "<h2>Families held out of all tuning</h2>" if held else "",
        _overview(held, judged) if held else "",
        "<h2>What it must show</h2>",
        _criteria(criteria(blocks, judged, most_gained(games))),
        *(_section(block, judged) for block in blocks),
        "<h2>Value against harm</h2>",
        "<p>Right is more value than static, up is more churn that friction caused (percent of "
        "the tenants ever tightened; dashed: the default harm budget). A line joins one policy "
        "under several harm budgets.</p><div class='many'>",
        *(frontier(block) for block in blocks),
        "</div>",
        gaming(games),
        "<h2>What the columns mean</h2><dl>",
        *(f"<dt>{escape(head)}</dt><dd>{escape(means)}</dd>" for _, head, means in COLUMNS),
        "</dl><p>± is the half width of a one-sided 95 % bound over seeds (Student's t); one seed "
        "gives none. The oracle knows every true response and next week's demand, keeps the same "
        "bounds, and does not explore; the exploring oracle holds out and explores as the "
        "product's policies do.</p></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _settings(settings: Mapping[str, object]) -> str:
    return "; ".join(f"{escape(name)}: {escape(str(value))}" for name, value in settings.items())


def _overview(blocks: Sequence[Block], judged: str) -> str:
    rows = []
    for block in blocks:
        line, oracle = block.line(judged), block.line("oracle")
        bound = block.line("exploring_oracle")
        constants = [each for each in block.lines if each.policy.startswith("constant_")]
        best = max(constants, key=lambda each: each.gain, default=None)
        rows.append(
            f"<tr><td>{escape(block.family)}</td><td>{block.tenants:,}</td>"
            f"<td>{_gain(line)}</td><td>{_figure(line, 'tenant_equal_percent')}</td>"
            f"<td>{_figure(line, 'worst_segment_percent')}</td>"
            f"<td>{_gain(best)}{_which(best)}</td><td>{_gain(bound)}</td>"
            f"<td>{_gain(oracle)}</td></tr>"
        )
    return (
        f"<table><tr><th>family</th><th>tenants</th><th>{escape(judged)}, percent of static</th>"
        "<th>every tenant alike</th><th>worst segment</th>"
        "<th>best constant arm</th><th>oracle that explores too</th><th>oracle</th></tr>"
        f"{''.join(rows)}</table>"
    )


_ORDER = ("missed", "not known", "met")


def _criteria(found: Sequence[Criterion]) -> str:
    """What was missed first, and how many of each there are."""
    found = sorted(found, key=lambda each: _ORDER.index(each.verdict))
    counts = ", ".join(f"{sum(e.verdict == word for e in found)} {word}" for word in _ORDER)
    rows = "".join(
        f"<tr><td>{escape(each.name)}</td><td>{escape(each.where)}</td>"
        f"<td>{escape(each.demand)}</td><td>{escape(each.found)}</td>"
        f"<td class='{each.verdict.replace(' ', '-')}'>{each.verdict}</td></tr>"
        for each in found
    )
    return (
        f"<p>{counts}.</p><div class='scroll'><table class='words'>"
        "<tr><th>criterion</th><th>where</th>"
        f"<th>demand</th><th>found</th><th>verdict</th></tr>{rows}</table></div>"
    )


def _gain(line: Line | None) -> str:
    if line is None:
        return "-"
    text = escape(shown(line, "against_static_percent"))
    return f"<span class='bad'>{text}</span>" if line.gain <= -0.005 else text


def _figure(line: Line | None, figure: str) -> str:
    return "-" if line is None else escape(_cell(line, figure))


def _which(line: Line | None) -> str:
    return "" if line is None else f" ({escape(line.policy.removeprefix('constant_'))})"


def _section(block: Block, judged: str) -> str:
    held = " (held out of tuning)" if block.held_out else ""
    trained = f"<p>{escape(block.trained)}.</p>" if block.trained else ""
    return (
        f"<h2>{escape(block.family)}, {block.tenants:,} tenants{held}</h2>{trained}{gains(block)}"
        f"<h3>What it earned</h3>{_table(block, MONEY, judged)}"
        f"<h3>What it did</h3>{_table(block, CONDUCT, judged, violations=True)}"
    )


def _table(
    block: Block, columns: Sequence[tuple[str, str, str]], judged: str, *, violations: bool = False
) -> str:
    heads = "".join(
        f"<th title='{escape(means, quote=True)}'>{escape(head)}</th>" for _, head, means in columns
    )
    last = "<th>violations</th>" if violations else ""
    rows = "".join(
        _row(line, [figure for figure, _, _ in columns], judged, violations=violations)
        for line in block.lines
    )
    return (
        "<div class='scroll'><table><tr><th>policy</th><th>seeds</th>"
        f"{heads}{last}</tr>{rows}</table></div>"
    )


def _row(line: Line, figures: Sequence[str], judged: str, *, violations: bool) -> str:
    cells = "".join(f"<td>{escape(_cell(line, figure))}</td>" for figure in figures)
    kind = " class='judged'" if line.policy == judged else ""
    if violations:
        broken = f"<span class='bad'>{line.violations}</span>" if line.violations else "0"
        cells += f"<td>{broken}</td>"
    return f"<tr{kind}><td>{escape(line.policy)}</td><td>{line.seeds}</td>{cells}</tr>"


def _cell(line: Line, figure: str) -> str:
    text = shown(line, figure)
    return f"{text} ({line.worst_segment})" if figure == "worst_segment_percent" else text
