"""Gates on what a candidate's policy would do: its value, its harm, and its effects' calibration.

Each is a veto. They speak only where the log bears on the policy, and never use the direct method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from flyball.gate_settings import GateSettings
from training.arm_value import ArmValue, arm_values
from training.clustered import clustered_error
from training.dataset import Floats
from training.gate import Gate, Verdict, not_applicable
from training.held_out import HeldOut
from training.off_policy.comparison import Comparison, compare
from training.off_policy.money import MoneyComparison, compare_money
from training.off_policy.off_policy_gate import NAME, VetoRule, off_policy_gate
from training.off_policy.overlap import Overlap, Refused, overlap
from training.off_policy.value import Estimate, ValueSettings
from training.outcome_model import OUTCOMES
from training.qini import Qini, qini_curves

EFFECTS, HARM = "effect_calibration", "churn_harm"
CAP = "gates.churn_cap"
DAYS_OF_CAP = 182


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReport:
    """The gates, and figures by name for the run's metrics (raw money among them).

    ``values``, ``qini`` and ``harm`` are what the plots show; empty where nothing can be said, and
    ``silent`` tells why. ``harm`` maps a harm gate to the difference in churn a period.
    """

    gates: tuple[Gate, ...]
    figures: dict[str, float]
    values: tuple[ArmValue, ...] = ()
    qini: tuple[Qini, ...] = ()
    harm: Mapping[str, Estimate] = field(default_factory=dict)
    harm_cap: float = 0.0
    overlap: Overlap | None = None
    silent: str = ""


def silent_policy(reason: str) -> PolicyReport:
    """Every gate on the policy, not applicable for one reason."""
    names = (f"{NAME}.equal", f"{NAME}.money", HARM, *(f"{EFFECTS}.{name}" for name in OUTCOMES))
    gates = tuple(not_applicable(name, reason) for name in names)
    return PolicyReport(gates=gates, figures={}, silent=reason)


def policy_gates(held: HeldOut, settings: GateSettings | None = None) -> PolicyReport:
    """Hold the candidate's policy and effects against logged draws of unseen organisations."""
    limits = settings or GateSettings()
    value_gates, figures = _value(held, limits)
    cap = limits.churn_cap * held.rows.period_days / DAYS_OF_CAP
    harm_gates, harm = _harm(held, cap)
    gates = [*value_gates, *harm_gates]
    gates += [_effects(held, index, limits) for index in range(len(OUTCOMES))]
    friction = float((held.policy @ _below(held)).mean())
    figures |= {"policy.friction_share": friction} | _harm_figures(harm)
    values, curves = arm_values(held), qini_curves(held)
    for each in values:
        figures |= each.figures()
    for curve in curves:
        figures |= curve.figures()
    moved = overlap(held.logged, held.policy, held.static)
    return PolicyReport(
        gates=tuple(gates),
        figures=figures,
        values=values,
        qini=curves,
        harm=harm,
        harm_cap=cap,
        overlap=moved if float(np.abs(held.policy - held.static).sum()) > 0.0 else None,
    )


def _value(held: HeldOut, limits: GateSettings) -> tuple[list[Gate], dict[str, float]]:
    """Every tenant counting alike, and in money; winsorised ones gate, raw ones are told."""
    priced = held.priced
    names = (f"{NAME}.equal", f"{NAME}.money")
    if not priced.any():
        return [not_applicable(name, "no tenant's revenue is known") for name in names], {}
    logged, policy, static = held.logged.take(priced), held.policy[priced], held.static[priced]
    earned, revenue = held.earned[priced], held.revenue[priced]
    veto = VetoRule(tolerance=limits.value_tolerance)
    gates: list[Gate] = []
    figures: dict[str, float] = {}
    for name, reward, scale in zip(
        names, (earned / revenue, earned), (1.0, float(revenue.mean())), strict=True
    ):
        found = compare_money(logged.rewarded(reward, None), policy, static)
        chosen = replace(found.winsorised, scale=scale)
        gates.append(off_policy_gate(chosen, rule=veto, name=name))
        figures |= _told(name, found, scale)
    return gates, figures


def _told(name: str, found: MoneyComparison, scale: float) -> dict[str, float]:
    figures = {f"{name}.moved": found.raw.moved, f"{name}.winsorised_rows": found.touched}
    for label, each in (("raw", found.raw), ("winsorised", found.winsorised)):
        if not isinstance(each.difference, Refused):
            figures |= {
                f"{name}.{label}.{key}": getattr(each.difference, key) / scale
                for key in ("value", "floor", "ceiling")
            }
            figures |= {
                f"{name}.{label}.{key}": value
                for key, value in each.difference.overlap.figures().items()
            }
    return figures


def _harm(held: HeldOut, cap: float) -> tuple[list[Gate], dict[str, Estimate]]:
    """Churn that the policy adds, overall and per segment: gates, and what they rest on."""
    codes, segments = held.rows.groups("segment")
    everybody = np.ones(len(held.rows), dtype=np.bool_)
    groups = [(HARM, everybody)]
    if len(segments) > 1:
        groups += [(f"{HARM}.{name or 'none'}", codes == at) for at, name in enumerate(segments)]
    # All segments together may raise one false alarm in twenty.
    settings = ValueSettings(level=1.0 - 0.05 / len(groups))
    # Only churn decides here: other outcomes do not make its interval any surer.
    logged = replace(held.logged, event=held.logged.reward > 0.0)
    gates, found = [], {}
    for name, mask in groups:
        compared = compare(logged.take(mask), held.policy[mask], held.static[mask], settings)
        gates.append(_harm_of(compared, name, cap))
        if not compared.same and not isinstance(compared.difference, Refused):
            found[name] = compared.difference
    return gates, found


def _harm_figures(harm: Mapping[str, Estimate]) -> dict[str, float]:
    return {
        f"{name}.{key}": float(getattr(each, key))
        for name, each in harm.items()
        for key in ("value", "floor", "ceiling")
    }


def _harm_of(found: Comparison, name: str, cap: float) -> Gate:
    if found.same:
        return not_applicable(name, "the policy is static on these rows")
    difference = found.difference
    if isinstance(difference, Refused):
        return not_applicable(name, f"overlap is too small: {difference.reason}")
    rule = f"{difference.level:.1%} bound of added churn a period at most the cap"
    if difference.floor > cap:
        return _gate(name, Verdict.FAILED, difference.floor, cap, f"lower {rule}", CAP)
    if difference.ceiling <= cap:
        return _gate(name, Verdict.PASSED, difference.ceiling, cap, f"upper {rule}", CAP)
    return not_applicable(
        name,
        f"added churn lies between {difference.floor:+.2%} and {difference.ceiling:+.2%} a period: "
        "too wide to say; exposure stays capped",
    )


def _effects(held: HeldOut, index: int, limits: GateSettings) -> Gate:
    """Slope of observed on predicted effect, from how arms fell within what was offered.

    The prediction is centred over the logged probabilities, so that a wrong risk model costs
    precision only.
    """
    name = f"{EFFECTS}.{OUTCOMES[index]}"
    predicted = held.effects[:, :, index]
    typical = (held.logged.offered * predicted).sum(axis=1)
    moved = held.logged.assigned(predicted) - typical
    power = float((moved**2).sum())
    if power <= 1e-12:
        return not_applicable(name, "no effect on it was found")
    happened = (held.rows.codes() == index + 1).astype(np.float64)
    left = happened - held.hazards[:, index] - typical
    slope = float((moved * left).sum()) / power
    influence: Floats = moved * (left - slope * moved) / power
    error = clustered_error(influence, held.logged.cluster)
    return _slope(name, slope, error, limits)


def _slope(name: str, slope: float, error: float, limits: GateSettings) -> Gate:
    half = 1.96 * error
    low, high = limits.effect_slope_low, limits.effect_slope_high
    words = "95 % interval of observed on predicted effect reaching"
    below, above = "gates.effect_slope_low", "gates.effect_slope_high"
    if slope + half < low:
        return _gate(name, Verdict.FAILED, slope, low - half, f"{words} {low:g}", below)
    if slope - half > high:
        return _gate(name, Verdict.FAILED, slope, high + half, f"{words} {high:g}", above)
    if not error <= limits.effect_slope_error:
        return not_applicable(name, f"the slope is {slope:.2g} ± {half:.2g}: too wide to say")
    return _gate(name, Verdict.PASSED, slope, low - half, f"{words} {low:g}", below)


def _gate(
    name: str, verdict: Verdict, figure: float, threshold: float, rule: str, setting: str
) -> Gate:
    return Gate(
        name=name,
        verdict=verdict,
        figure=figure,
        threshold=threshold,
        rule=rule,
        setting=setting,
    )


def _below(held: HeldOut) -> Floats:
    return (np.asarray(held.rows.arms) < 100).astype(np.float64)
