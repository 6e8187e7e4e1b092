"""The gates a version must pass before it may become champion. See ``docs/reference/gates.md``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flyball.gate_settings import GateSettings
from training.clustered import clustered_mean
from training.dataset import Floats
from training.evaluation import Judged, Quality, Report
from training.gate import Gate, GateTable, Verdict, above, at_least, at_most, not_applicable
from training.risk import row_log_loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Technical:
    """What was measured on the exported bundle.

    ``parity``, ``effects_parity`` and ``attribution_parity`` are the largest gaps between a graph
    and what it stands for: in probability; in effect, its uncertainty and its level of trust; in
    contributions. ``latency_ratio`` is against the bare onnxruntime calls. ``bundle_hash`` is that
    of the features in the bundle, ``code_hash`` what the code computes now.
    """

    parity: float
    effects_parity: float
    attribution_parity: float
    latency_ratio: float
    bundle_hash: str
    code_hash: str


Score = Callable[[Floats, Floats], Floats]


def run_gates(
    judged: Sequence[Judged],
    report: Report,
    technical: Technical,
    *,
    kinds: Mapping[str, str],
    champion: Sequence[Judged] | None = None,
    champion_absent: str = "there is no champion yet",
    settings: GateSettings | None = None,
) -> GateTable:
    """Hold a candidate against the base rate, the champion and its own promises.

    Parameters
    ----------
    judged, report:
        The candidate on the test rows.
    technical:
        What the exported bundle showed.
    kinds:
        Outcome name to model kind (``none``: its gates against the base rate cannot speak).
    champion:
        The champion's predictions on the same rows; None with the reason in ``champion_absent``.
    """
    limits = settings or GateSettings()
    gates = [_evidence(judged, kinds, limits)]
    for index, each in enumerate(judged):
        rival = champion[index] if champion is not None else None
        gates += _scores(each, kinds[each.outcome], rival, champion_absent, limits)
        gates += _calibration(each, kinds[each.outcome], report, limits)
    gates += _technical(technical, limits)
    return GateTable(tuple(gates))


def _evidence(judged: Sequence[Judged], kinds: Mapping[str, str], limits: GateSettings) -> Gate:
    able = [j for j in judged if kinds[j.outcome] != "none" and j.events >= limits.min_events]
    if not able:
        return not_applicable("evidence", "no outcome has a model and enough test events")
    return Gate(
        name="evidence",
        verdict=Verdict.PASSED,
        figure=float(len(able)),
        threshold=1.0,
        rule="outcomes that could be judged",
    )


def _silent(each: Judged, kind: str, limits: GateSettings) -> str:
    if kind == "none":
        return "no model for this outcome"
    if each.events < limits.min_events:
        return f"{each.events} test events, {limits.min_events} are needed"
    return ""


def _log_loss_rows(probability: Floats, happened: Floats) -> Floats:
    return row_log_loss(probability, happened > 0.5)


def _brier_rows(probability: Floats, happened: Floats) -> Floats:
    return np.asarray((probability - happened) ** 2, dtype=np.float64)


_SCORES: tuple[tuple[str, Score], ...] = (("log_loss", _log_loss_rows), ("brier", _brier_rows))


def _scores(
    each: Judged, kind: str, champion: Judged | None, absent: str, limits: GateSettings
) -> list[Gate]:
    gates = []
    silent = _silent(each, kind, limits)
    few = each.events < limits.min_events
    happened = each.happened.astype(np.float64)
    for name, score in _SCORES:
        label = f"{name}_vs_base.{each.outcome}"
        if silent:
            gates.append(not_applicable(label, silent))
        else:
            flat = each.base
            better = score(flat, happened) - score(each.probability, happened)
            # Rare events drown the Brier score in noise: it must only not be clearly worse.
            if name == "log_loss":
                gates.append(_improved(label, better, score(flat, happened)))
            else:
                errors, cap = limits.brier_errors, "gates.brier_errors"
                gates.append(_paired(label, better, score(flat, happened), each, errors, cap))
        label = f"{name}_vs_champion.{each.outcome}"
        if champion is None or few:
            gates.append(not_applicable(label, absent if champion is None else silent))
        else:
            theirs = score(champion.probability, happened)
            better = theirs - score(each.probability, happened)
            key = "margin_errors" if name == "log_loss" else "brier_errors"
            errors = float(getattr(limits, key))
            gates.append(_paired(label, better, theirs, each, errors, f"gates.{key}"))
    return gates


def _improved(label: str, better: Floats, rival: Floats) -> Gate:
    """Relative improvement over the base rate, whatever its size."""
    scale = max(float(rival.mean()), 1e-300)
    return above(label, float(better.mean()) / scale, 0.0, "better than the base rate")


def _paired(
    label: str, better: Floats, rival: Floats, each: Judged, errors: float, setting: str
) -> Gate:
    """Relative improvement over ``rival`` row by row, with an organisation-clustered margin."""
    found = clustered_mean(better, each.cluster)
    scale = max(float(rival.mean()), 1e-300)
    rule = f"no more than {errors:g} clustered errors worse"
    return at_least(label, found.mean / scale, -errors * found.error / scale, rule, setting)


def _calibration(each: Judged, kind: str, report: Report, limits: GateSettings) -> list[Gate]:
    slope, error = f"calibration_slope.{each.outcome}", f"calibration_error.{each.outcome}"
    silent = _silent(each, kind, limits)
    quality = report.overall[each.outcome]
    if silent or quality.slope is None:
        why = silent or "all predictions are alike"
        return [not_applicable(slope, why), not_applicable(error, why)]
    gates = [
        _slope(slope, quality, limits),
        _error(error, quality, limits.error_share, "gates.error_share"),
    ]
    for segment, qualities in report.groups.get("segment", {}).items():
        found = qualities.get(each.outcome)
        if found is not None and found.events >= limits.segment_min_events:
            label = f"calibration_error.{each.outcome}.{segment}"
            share, setting = limits.segment_error_share, "gates.segment_error_share"
            gates.append(_error(label, found, share, setting))
    return gates


def _slope(label: str, quality: Quality, limits: GateSettings) -> Gate:
    found, half = quality.slope or 0.0, 1.96 * (quality.slope_error or 0.0)
    if found < 1.0:
        rule = f"95 % interval reaching {limits.slope_low:g}"
        return at_least(label, found, limits.slope_low - half, rule, "gates.slope_low")
    rule = f"95 % interval reaching {limits.slope_high:g}"
    return at_most(label, found, limits.slope_high + half, rule, "gates.slope_high")


def _error(label: str, quality: Quality, share: float, setting: str) -> Gate:
    noise = quality.ece_noise or 0.0
    rate = max(quality.observed, 1e-12)
    rule = f"chance plus {share:.0%} of the observed rate"
    # Twice what chance gives on average is about its 99 % point over ten bins.
    top = share + 2.0 * noise / rate
    return at_most(label, (quality.ece or 0.0) / rate, top, rule, setting)


def _parity(name: str, gap: float, rule: str, limits: GateSettings) -> Gate:
    return at_most(name, gap, limits.parity, rule, "gates.parity")


def _technical(technical: Technical, limits: GateSettings) -> list[Gate]:
    same = technical.bundle_hash == technical.code_hash
    return [
        _parity("onnx_parity", technical.parity, "largest gap in probability", limits),
        _parity(
            "onnx_parity.effects",
            technical.effects_parity,
            "largest gap in an arm's effect or its uncertainty",
            limits,
        ),
        _parity(
            "onnx_parity.attribution",
            technical.attribution_parity,
            "largest gap in a contribution, as a share of 1 + its size",
            limits,
        ),
        at_most(
            "scoring_latency",
            technical.latency_ratio,
            limits.latency_ratio,
            "times the bare onnxruntime calls",
            "gates.latency_ratio",
        ),
        Gate(
            name="feature_contract",
            verdict=Verdict.PASSED if same else Verdict.FAILED,
            figure=float(same),
            threshold=1.0,
            rule=f"bundle hash {technical.bundle_hash[:12]} = code hash {technical.code_hash[:12]}",
        ),
    ]
