"""The gates a version must pass before it may become champion. See ``docs/reference/gates.md``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.clustered import clustered_mean
from training.dataset import Floats
from training.evaluation import Judged, Quality, Report
from training.gate import Gate, GateTable, Verdict, above, at_least, at_most, not_applicable
from training.risk import row_log_loss


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """Thresholds.

    ``min_events``: fewer test events of an outcome and its gates do not speak. ``margin_errors``:
    clustered standard errors by which a score may look worse before it counts as worse.
    ``slope_low``/``slope_high``: accepted range of the calibration slope, which the slope's 95 %
    interval must meet. ``error_share``: calibration error beyond chance, as a share of the observed
    rate. ``parity``: probability; ``latency_ratio``: against the bare onnxruntime calls.
    """

    min_events: int = 10
    margin_errors: float = 1.645
    slope_low: float = 0.7
    slope_high: float = 1.4
    error_share: float = 0.35
    segment_error_share: float = 0.6
    segment_min_events: int = 20
    parity: float = 1e-5
    latency_ratio: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Technical:
    """What was measured on the exported bundle: worst parity gap, latency ratio, hashes."""

    parity: float
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
            errors = 0.0 if name == "log_loss" else limits.margin_errors
            gates.append(_paired(label, better, score(flat, happened), each, errors))
        label = f"{name}_vs_champion.{each.outcome}"
        if champion is None or few:
            gates.append(not_applicable(label, absent if champion is None else silent))
        else:
            theirs = score(champion.probability, happened)
            better = theirs - score(each.probability, happened)
            gates.append(_paired(label, better, theirs, each, limits.margin_errors))
    return gates


def _paired(label: str, better: Floats, rival: Floats, each: Judged, errors: float) -> Gate:
    """Relative improvement over ``rival`` row by row, with an organisation-clustered margin."""
    found = clustered_mean(better, each.cluster)
    scale = max(float(rival.mean()), 1e-300)
    margin = errors * found.error if errors else 0.0
    if errors:
        rule = f"no more than {errors:g} clustered errors worse"
        return at_least(label, found.mean / scale, -margin / scale, rule)
    return above(label, found.mean / scale, 0.0, "better than the base rate")


def _calibration(each: Judged, kind: str, report: Report, limits: GateSettings) -> list[Gate]:
    slope, error = f"calibration_slope.{each.outcome}", f"calibration_error.{each.outcome}"
    silent = _silent(each, kind, limits)
    quality = report.overall[each.outcome]
    if silent or quality.slope is None:
        why = silent or "all predictions are alike"
        return [not_applicable(slope, why), not_applicable(error, why)]
    gates = [_slope(slope, quality, limits), _error(error, quality, limits.error_share)]
    for segment, qualities in report.groups.get("segment", {}).items():
        found = qualities.get(each.outcome)
        if found is not None and found.events >= limits.segment_min_events:
            label = f"calibration_error.{each.outcome}.{segment}"
            gates.append(_error(label, found, limits.segment_error_share))
    return gates


def _slope(label: str, quality: Quality, limits: GateSettings) -> Gate:
    found, half = quality.slope or 0.0, 1.96 * (quality.slope_error or 0.0)
    if found < 1.0:
        rule = f"95 % interval reaching {limits.slope_low:g}"
        return at_least(label, found, limits.slope_low - half, rule)
    rule = f"95 % interval reaching {limits.slope_high:g}"
    return at_most(label, found, limits.slope_high + half, rule)


def _error(label: str, quality: Quality, share: float) -> Gate:
    noise = quality.ece_noise or 0.0
    rate = max(quality.observed, 1e-12)
    rule = f"chance plus {share:.0%} of the observed rate"
    # Twice what chance gives on average is about its 99 % point over ten bins.
    return at_most(label, (quality.ece or 0.0) / rate, share + 2.0 * noise / rate, rule)


def _technical(technical: Technical, limits: GateSettings) -> list[Gate]:
    same = technical.bundle_hash == technical.code_hash
    return [
        at_most("onnx_parity", technical.parity, limits.parity, "largest gap in probability"),
        at_most(
            "scoring_latency",
            technical.latency_ratio,
            limits.latency_ratio,
            "times the bare onnxruntime calls",
        ),
        Gate(
            name="feature_contract",
            verdict=Verdict.PASSED if same else Verdict.FAILED,
            figure=float(same),
            threshold=1.0,
            rule=f"bundle hash {technical.bundle_hash[:12]} = code hash {technical.code_hash[:12]}",
        ),
    ]
