"""What has changed since a champion learned: features, calibration, propensities, data quality.

Compared are units that began after its data window with those in it, so nothing needs to be kept
aside; labels count once their period is over, like everywhere. Drift is told, it never promotes or
blocks by itself: retraining and its gates decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.bundle import Bundle
from models.scorer import Scorer
from training.dataset import Bools, Dataset, Floats
from training.evaluation import judge, quality


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRule:
    """When a figure counts as drift.

    ``psi``: population stability index beyond what chance gives. ``ks``: largest difference of
    distribution functions. ``missing``: change of the share missing. ``slope_low``/``slope_high``:
    calibration slope, met by its 95 % interval. ``propensity``: change of an arm's mean logged
    probability. ``draws``: standard errors between drawn and logged. ``volume``: least units of a
    week against the median week. ``min_rows``, ``min_events``: less than this and nothing is said.
    """

    psi: float = 0.2
    ks: float = 0.2
    missing: float = 0.1
    slope_low: float = 0.7
    slope_high: float = 1.4
    propensity: float = 0.1
    draws: float = 4.0
    volume: float = 0.5
    min_rows: int = 200
    min_events: int = 20
    bins: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One figure: ``kind`` and ``subject`` name it; ``drifted`` says it passed ``threshold``."""

    kind: str
    subject: str
    figure: float
    threshold: float
    drifted: bool

    @property
    def name(self) -> str:
        """``psi.logins``."""
        return f"{self.kind}.{self.subject}"

    def plain(self) -> dict[str, object]:
        """JSON-ready."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "figure": self.figure,
            "threshold": self.threshold,
            "drifted": self.drifted,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """All findings; ``absent`` says why there are none."""

    reference_rows: int
    recent_rows: int
    findings: tuple[Finding, ...] = ()
    absent: str = ""

    @property
    def drifted(self) -> list[Finding]:
        """What has changed, worst first by how far it lies beyond its threshold."""
        changed = [each for each in self.findings if each.drifted]
        return sorted(changed, key=lambda f: -abs(f.figure) / max(abs(f.threshold), 1e-12))

    def plain(self) -> dict[str, object]:
        """JSON-ready."""
        return {
            "referenceRows": self.reference_rows,
            "recentRows": self.recent_rows,
            "absent": self.absent,
            "findings": [each.plain() for each in self.findings],
        }


def find_drift(dataset: Dataset, champion: Bundle, rule: DriftRule | None = None) -> DriftReport:
    """Compare units that began after ``champion``'s data window with those in it."""
    chosen = rule or DriftRule()
    until = int(champion.manifest.data_window.get("last_hour", 0))
    hours = dataset.start_hours()
    past, recent = dataset.take(hours <= until), dataset.take(hours > until)
    few = min(len(past), len(recent))
    if few < chosen.min_rows:
        why = f"{len(recent):,} units since the champion learned, {chosen.min_rows:,} are needed"
        return DriftReport(reference_rows=len(past), recent_rows=len(recent), absent=why)
    findings = [*_features(past, recent, chosen), *_quality(dataset, recent, chosen)]
    findings += _calibration(recent, champion, chosen)
    findings += _propensities(past, recent, chosen)
    return DriftReport(reference_rows=len(past), recent_rows=len(recent), findings=tuple(findings))


def stability_index(past: Floats, recent: Floats, bins: int = 10) -> tuple[float, float]:
    """Population stability index over the past's quantiles, missing apart; and what chance gives.

    Σ (q - p) ln(q / p) with half a row in every empty bin. Under no change its mean is about
    (bins - 1) (1/n + 1/m).
    """
    known = past[np.isfinite(past)]
    inner = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    edges = np.unique(np.quantile(known, inner)) if len(known) else np.zeros(0)
    p, q = (_shares(values, edges) for values in (past, recent))
    chance = (len(p) - 1) * (1.0 / len(past) + 1.0 / len(recent))
    return float(((q - p) * np.log(q / p)).sum()), chance


def _shares(values: Floats, edges: Floats) -> Floats:
    finite = np.isfinite(values)
    counts = np.bincount(
        np.searchsorted(edges, values[finite], side="right"), minlength=len(edges) + 1
    ).astype(np.float64)
    counts = np.append(counts, float((~finite).sum()))
    return np.asarray((counts + 0.5) / (len(values) + 0.5 * len(counts)))


def largest_gap(past: Floats, recent: Floats) -> float:
    """Kolmogorov and Smirnov's statistic over known values; 0 where either has none."""
    a, b = (np.sort(values[np.isfinite(values)]) for values in (past, recent))
    if not len(a) or not len(b):
        return 0.0
    at = np.concatenate([a, b])
    below_a = np.searchsorted(a, at, side="right") / len(a)
    below_b = np.searchsorted(b, at, side="right") / len(b)
    return float(np.abs(below_a - below_b).max())


def _features(past: Dataset, recent: Dataset, rule: DriftRule) -> Iterator[Finding]:
    before, now = past.matrix().astype(np.float64), recent.matrix().astype(np.float64)
    for at, name in enumerate(past.features):
        index, chance = stability_index(before[:, at], now[:, at], rule.bins)
        yield _above("psi", name, index, rule.psi + 2.0 * chance)
        yield _above("ks", name, largest_gap(before[:, at], now[:, at]), rule.ks)
        share = float(np.isnan(now[:, at]).mean() - np.isnan(before[:, at]).mean())
        yield _above("missing", name, share, rule.missing)


def _quality(dataset: Dataset, recent: Dataset, rule: DriftRule) -> Iterator[Finding]:
    matrix = recent.matrix()
    for at, name in enumerate(recent.features):
        endless = float(np.isinf(matrix[:, at]).mean())
        if endless > 0.0:
            yield _above("infinite", name, endless, 0.0)
    _, units = np.unique(dataset.start_hours(), return_counts=True)
    yield _below("volume", "latest_period", float(units[-1] / np.median(units)), rule.volume)
    repeated = 1.0 - len(set(dataset.text("unit_id"))) / len(dataset)
    yield _above("repeated", "unit_id", repeated, 0.0)


def _calibration(recent: Dataset, champion: Bundle, rule: DriftRule) -> Iterator[Finding]:
    """The champion's calibration slope on labels that matured after it learned."""
    manifest = champion.manifest
    if manifest.features != recent.features or manifest.period_days != recent.period_days:
        return
    hazards = Scorer(champion).hazards(recent.matrix()).astype(np.float64)
    bases = [manifest.outcome_models[name].base_rate for name in manifest.outcomes]
    for each in judge(recent, hazards, bases, manifest.calibration):
        found = quality(each.probability, each.base, each.happened)
        if each.events < rule.min_events or found.slope is None:
            continue
        half = 1.96 * (found.slope_error or 0.0)
        if found.slope < 1.0:
            yield _below("calibration_slope", each.outcome, found.slope, rule.slope_low - half)
        else:
            yield _above("calibration_slope", each.outcome, found.slope, rule.slope_high + half)


def _propensities(past: Dataset, recent: Dataset, rule: DriftRule) -> Iterator[Finding]:
    before, now = past.offered()[_drawn(past)], recent.offered()[_drawn(recent)]
    if not len(before) or not len(now):
        return
    for at, arm in enumerate(recent.arms):
        change = float(now[:, at].mean() - before[:, at].mean())
        yield _above("propensity", str(arm), change, rule.propensity)
        yield _above("draws", str(arm), _surprise(recent, at), rule.draws)


def _surprise(recent: Dataset, at: int) -> float:
    """Standard errors between how often an arm was drawn and how often it should have been.

    One draw is made for an organisation and period, so those are what is counted.
    """
    drawn = recent.take(_drawn(recent))
    offered = drawn.offered()[:, at]
    gap = (drawn.arm() == drawn.arms[at]).astype(np.float64) - offered
    codes, _ = drawn.groups("organisation")
    group = np.unique(np.stack([codes, drawn.start_hours()]), axis=1, return_inverse=True)[1]
    sums = np.bincount(np.asarray(group).reshape(-1), weights=gap)
    spread = float(np.sqrt((sums**2).sum()))
    return float(sums.sum()) / spread if spread > 0.0 else 0.0


def _drawn(dataset: Dataset) -> Bools:
    return np.asarray(dataset.analysed() & np.isfinite(dataset.offered()).all(axis=1))


def _above(kind: str, subject: str, figure: float, threshold: float) -> Finding:
    return Finding(
        kind=kind,
        subject=subject,
        figure=figure,
        threshold=threshold,
        drifted=abs(figure) > threshold,
    )


def _below(kind: str, subject: str, figure: float, threshold: float) -> Finding:
    return Finding(
        kind=kind,
        subject=subject,
        figure=figure,
        threshold=threshold,
        drifted=figure < threshold,
    )
