"""Gate settings: every cap that a candidate is held against, with its default."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from flyball.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """``[gates]`` of ``flyball.toml``; what each gate does is in ``docs/reference/gates.md``.

    Parameters
    ----------
    min_events:
        Fewer test events of an outcome and its gates do not speak (1..1e6).
    margin_errors, brier_errors:
        Clustered standard errors by which log-loss (against the champion) and the Brier score
        (against base rate and champion) may look worse before they count as worse (0..100). The
        Brier score has its own, because rare events drown it in noise.
    slope_low, slope_high:
        Range (-100..100) that the 95 % interval of the calibration slope must meet; 1 is ideal.
    error_share, segment_error_share:
        Calibration error beyond chance, as a share of the observed rate (0..100), over all rows and
        in a segment.
    segment_min_events:
        Fewer test events in a segment and its own gate is left out (1..1e6).
    parity:
        Largest gap between exported graphs and fitted models (0..1): in probability, in effect, and
        of contributions in log-odds as a share of 1 + their size.
    latency_ratio:
        Scoring one row against the bare onnxruntime calls (0..1000).
    effect_slope_low, effect_slope_high:
        Range (-100..100) that the 95 % interval of observed on predicted effect must meet.
    effect_slope_error:
        With a larger standard error (0..100) that slope cannot tell 1 from 0.
    value_tolerance:
        Loss against static that is not worth a veto, as a share of its value (0..1).
    churn_cap:
        Churn that the policy may add in 26 weeks (0..1, probability); live harm is held against it
        too.
    """

    min_events: int = 10
    margin_errors: float = 1.645
    brier_errors: float = 1.645
    slope_low: float = 0.7
    slope_high: float = 1.4
    error_share: float = 0.35
    segment_error_share: float = 0.6
    segment_min_events: int = 20
    parity: float = 1e-5
    latency_ratio: float = 3.0
    effect_slope_low: float = 0.3
    effect_slope_high: float = 3.0
    effect_slope_error: float = 0.5
    value_tolerance: float = 0.01
    churn_cap: float = 0.012

    def __post_init__(self) -> None:
        for item in fields(self):
            low, high = _RANGES[item.name]
            value = getattr(self, item.name)
            if not (math.isfinite(value) and low <= value <= high):
                raise InvalidInput(
                    f"gates.{item.name} {value:g} must lie in {low:g}..{high:g}.",
                    field=f"gates.{item.name}",
                )
        for lower, upper in (
            ("slope_low", "slope_high"),
            ("effect_slope_low", "effect_slope_high"),
        ):
            if getattr(self, lower) > getattr(self, upper):
                raise InvalidInput(
                    f"gates.{lower} {getattr(self, lower):g} is above gates.{upper} "
                    f"{getattr(self, upper):g}.",
                    "Write the lower end of the range first.",
                    field=f"gates.{lower}",
                )


_RANGES = {
    "min_events": (1, 1e6),
    "margin_errors": (0, 100),
    "brier_errors": (0, 100),
    "slope_low": (-100, 100),
    "slope_high": (-100, 100),
    "error_share": (0, 100),
    "segment_error_share": (0, 100),
    "segment_min_events": (1, 1e6),
    "parity": (0, 1),
    "latency_ratio": (0, 1000),
    "effect_slope_low": (-100, 100),
    "effect_slope_high": (-100, 100),
    "effect_slope_error": (0, 100),
    "value_tolerance": (0, 1),
    "churn_cap": (0, 1),
}
