"""What a policy must show, criterion by criterion: met, missed, or not known from these runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simulation.report.columns import signed
from simulation.report.grid import Block, Line

#: Where acting helps, the oracle gains at least so much (percent of static).
HELPS_PERCENT = 0.2
#: Gains are demanded from this size on.
_LARGE = 10_000
_HARM_MEAN, _HARM_BOUND = -0.2, -1.0
_RESTRAINED_PERCENT, _RESTRAINED_SEEDS = 95.0, 0.9
#: Churn that friction may cause, percent of the tenants ever tightened.
HARM_PERCENT = 1.2
GAMING_PERCENT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One demand, what was found, and whether that is enough (None: these runs cannot say)."""

    name: str
    where: str
    demand: str
    found: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """One word, or two."""
        return "not known" if self.met is None else ("met" if self.met else "missed")


def criteria(
    blocks: Sequence[Block], judged: str, gaming_percent: float | None = None
) -> list[Criterion]:
    """Every criterion for the policy ``judged``, family by family.

    Parameters
    ----------
    gaming_percent:
        The most that gaming gained, percent of quota; None where nobody searched.
    """
    lines = [(block, line) for block in blocks if (line := block.line(judged)) is not None]
    found: list[Criterion] = []
    for block, line in lines:
        found += _of_block(block, line)
    found += _gains(lines)
    broken = sum(line.violations for _, line in lines)
    found.append(
        Criterion(
            name="guardrails",
            where="everywhere",
            demand="0 violations",
            found=f"{broken} violations",
            met=broken == 0 if lines else None,
        )
    )
    found.append(_gaming(gaming_percent))
    return found


def _of_block(block: Block, line: Line) -> Iterator[Criterion]:
    where = _name(block)
    yield _harm(where, line)
    yield _friction_churn(where, line)
    yield _predicted_harm(where, line)
    if block.family == "null":
        yield _restraint(where, line)
    # Only a policy that acts on effects must know when it knows too little of them.
    if line.poor_evidence and line.policy.startswith("value"):
        static = all(share == 100.0 for share in line.poor_evidence)
        count = len(line.poor_evidence)
        yield Criterion(
            name="insufficient evidence",
            where=where,
            demand="with too few events it says so and stays at 1",
            found=f"said so in {count} of {line.seeds} seeds; at 1 in {_all(static)} of them",
            met=static,
        )


def _all(yes: bool) -> str:
    return "all" if yes else "not all"


def _harm(where: str, line: Line) -> Criterion:
    bound = line.gain - line.bound
    known = not math.isnan(bound)
    said = f"{signed(bound)} %"
    return Criterion(
        name="harm",
        where=where,
        demand=f"mean ≥ {_HARM_MEAN:g} % of static, one-sided 95 % bound ≥ {_HARM_BOUND:g} %",
        found=f"mean {signed(line.gain)} %, bound " + (said if known else "needs two seeds"),
        met=_both(line.gain >= _HARM_MEAN, bound >= _HARM_BOUND if known else None),
    )


def _both(first: bool, second: bool | None) -> bool | None:
    """Missed if one is missed; not known if the other is not."""
    return first if second is None and not first else (None if second is None else first and second)


def _friction_churn(where: str, line: Line) -> Criterion:
    value = line.mean["friction_churn_percent"]
    return Criterion(
        name="friction-induced churn",
        where=where,
        demand=f"at most {HARM_PERCENT:g} % of the tenants ever tightened",
        found=f"{signed(value)} %",
        met=value <= HARM_PERCENT,
    )


def _predicted_harm(where: str, line: Line) -> Criterion:
    value = line.mean.get("predicted_harm_percent")
    return Criterion(
        name="harm budget binds",
        where=where,
        demand=f"predicted at most {HARM_PERCENT:g} %",
        found="no predictions" if value is None else f"predicted {value:.2f} %",
        met=None if value is None else value <= HARM_PERCENT,
    )


def _restraint(where: str, line: Line) -> Criterion:
    shares = line.each.get("chosen_at_one_percent", ())
    kept = sum(share >= _RESTRAINED_PERCENT for share in shares)
    return Criterion(
        name="restraint",
        where=where,
        demand=f"≥ {_RESTRAINED_PERCENT:g} % at 1 (exploration apart) in ≥ 90 % of seeds",
        found=f"in {kept} of {len(shares)} seeds",
        met=kept >= _RESTRAINED_SEEDS * len(shares) if shares else None,
    )


def _gains(lines: Sequence[tuple[Block, Line]]) -> Iterator[Criterion]:
    """Half of the oracle's gain everywhere, and the crude rivals in half of the families."""
    sizes = sorted({block.tenants for block, _ in lines})
    for size in sizes:
        helped = [(b, line) for b, line in lines if b.tenants == size and _helps(b)]
        beaten = 0
        for block, line in helped:
            yield _half_of_oracle(block, line)
            beaten += _beats_the_crude(block, line)
        if helped:
            yield Criterion(
                name="above crude policies",
                where=f"{size:,} tenants",
                demand="above the best constant arm and risk_rule in half of the families, "
                f"at {_LARGE:,} tenants",
                found=f"in {beaten} of {len(helped)} families where acting helps{_small(size)}",
                met=2 * beaten >= len(helped) if size >= _LARGE else None,
            )


def _small(tenants: int) -> str:
    return "" if tenants >= _LARGE else "; too few tenants to be judged"


def _helps(block: Block) -> bool:
    oracle = block.line("oracle")
    return oracle is not None and oracle.gain >= HELPS_PERCENT


def _half_of_oracle(block: Block, line: Line) -> Criterion:
    """Holdout and exploration are guardrails too, so the oracle that keeps them is the measure."""
    oracle, bound = block.line("oracle"), block.line("exploring_oracle")
    best = oracle.gain if oracle is not None else math.nan
    share = line.gain / best
    found = f"{signed(line.gain)} % of the oracle's {signed(best)} % ({share:.0%})"
    if bound is not None:
        # Where exploring costs the oracle all it knows, nothing is left to have half of.
        share = line.gain / bound.gain if bound.gain > 0.0 else math.nan
        found += f", of {signed(bound.gain)} % if it explores too ({share:.0%})"
    return Criterion(
        name="gain",
        where=_name(block),
        demand=f"half of what the oracle under the same guardrails gains, at {_LARGE:,} tenants",
        found=found + _small(block.tenants),
        met=share >= 0.5 if block.tenants >= _LARGE and not math.isnan(share) else None,
    )


def _beats_the_crude(block: Block, line: Line) -> bool:
    crude = [
        each.gain
        for each in block.lines
        if each.policy == "risk_rule" or each.policy.startswith("constant_")
    ]
    return all(line.gain > gain for gain in crude)


def _gaming(percent: float | None) -> Criterion:
    return Criterion(
        name="gaming",
        where="everywhere",
        demand=f"gain at most {GAMING_PERCENT:g} % of quota",
        found="nobody searched" if percent is None else f"best response gains {percent:+.2f} %",
        met=None if percent is None else percent <= GAMING_PERCENT,
    )


def _name(block: Block) -> str:
    return f"{block.family}, {block.tenants:,}"
