"""All pictures of one training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.effects import ArmEffects
from training.estimators.overlap import ArmOverlap
from training.evaluation import Judged, Report
from training.plots.arm_value import draw_arm_values
from training.plots.calibration import draw_calibration
from training.plots.gain import draw_gain
from training.plots.overlap import draw_overlap
from training.plots.qini import draw_qini
from training.plots.segments import draw_segments
from training.policy_gates import PolicyReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibits:
    """What is shown: predictions on test rows, effects, the policy's trial, the log's overlap."""

    judged: Sequence[Judged]
    report: Report
    effects: ArmEffects
    policy: PolicyReport
    overlap: Sequence[ArmOverlap]


def draw_plots(shown: Exhibits, directory: Path) -> list[Path]:
    """Write every picture into ``directory``; one that cannot be drawn says why instead."""
    policy = shown.policy
    return [
        draw_calibration(shown.judged, shown.report, directory / "calibration.png"),
        draw_gain(shown.judged, shown.report, directory / "gain.png"),
        draw_qini(policy.qini, policy.silent, directory / "qini.png"),
        draw_arm_values(policy.values, policy.silent, directory / "arm_value.png"),
        draw_overlap(shown.overlap, policy.overlap, policy.silent, directory / "overlap.png"),
        draw_segments(
            shown.report,
            shown.effects,
            policy.harm,
            policy.harm_cap,
            policy.silent,
            directory / "segments.png",
        ),
    ]
