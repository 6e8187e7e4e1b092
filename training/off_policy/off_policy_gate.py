"""The veto: off-policy value can block a promotion, it never certifies one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from training.gate import Gate, Verdict, not_applicable
from training.off_policy.comparison import Comparison
from training.off_policy.overlap import Refused
from training.off_policy.value import Estimate

NAME = "off_policy_value"


@dataclass(frozen=True, slots=True, kw_only=True)
class VetoRule:
    """``tolerance``: loss against the baseline that is not worth a veto, as a share of its value.

    ``max_model_share``: of a policy that may rest on the outcome model alone (Switch-DR).
    """

    tolerance: float = 0.01
    max_model_share: float = 0.0


def off_policy_gate(
    comparison: Comparison, *, rule: VetoRule | None = None, name: str = NAME
) -> Gate:
    """Hold a policy's paired difference from its baseline (static) against the veto.

    Failed when even the difference's upper one-sided bound is below 0: the policy loses. Passed
    when its lower one-sided bound is above -tolerance. In between the log cannot tell, and where
    overlap is bad or the policy is the baseline it cannot speak: not applicable, which never counts
    as passed. Figures are shares of the baseline's value, or in the reward's unit where that is 0.
    """
    chosen = rule or VetoRule()
    difference = comparison.difference
    if comparison.same:
        return not_applicable(name, "the policy is static on these rows")
    if isinstance(difference, Refused):
        return not_applicable(name, f"overlap is too small: {difference.reason}")
    silent = _silent(difference, chosen)
    return (
        not_applicable(name, silent)
        if silent
        else _verdict(difference, comparison.scale, chosen, name)
    )


def _silent(difference: Estimate, rule: VetoRule) -> str:
    if not difference.estimator.gates:
        return "the direct method never gates"
    if difference.model_share > rule.max_model_share:
        return f"{difference.model_share:.1%} of the policy rests on the outcome model alone"
    return ""


def _verdict(difference: Estimate, static: float, rule: VetoRule, name: str) -> Gate:
    scale = abs(static) or 1.0
    floor, ceiling = difference.floor / scale, difference.ceiling / scale
    level = f"{difference.level:.0%}"
    if ceiling < 0.0:
        why = f"{level} upper bound of the difference not below 0, as a share of static"
        return _gate(name, Verdict.FAILED, ceiling, 0.0, why)
    if floor >= -rule.tolerance:
        why = f"{level} lower bound of the difference, as a share of static"
        passed = _gate(name, Verdict.PASSED, floor, -rule.tolerance, why)
        return replace(passed, setting="gates.value_tolerance")
    said = f"the difference lies between {floor:+.2%} and {ceiling:+.2%} of static: too wide to say"
    return not_applicable(name, said)


def _gate(name: str, verdict: Verdict, figure: float, threshold: float, rule: str) -> Gate:
    return Gate(name=name, verdict=verdict, figure=figure, threshold=threshold, rule=rule)
