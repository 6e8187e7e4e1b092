"""Golden rows: a few inputs in the manifest, and the outputs that every machine must get."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flyball.errors import BundleCorrupt
from models.manifest import Golden
from models.scorer import Float32, Int64, Scorer

#: Agreement asked for: absolute, plus relative to the number's size.
ABSOLUTE, RELATIVE = 1e-5, 1e-4


def golden_of(scorer: Scorer, x: Float32, segment: Int64, dose: Float32) -> Golden:
    """Score ``x`` [k, F] and write inputs and outputs down. Infinite inputs are not allowed."""
    scores = scorer.score(x, segment, dose)
    return Golden(
        x=_plain(x),
        segment=segment.tolist(),
        dose=_plain(dose),
        hazards=scores.hazards.tolist(),
        mean=scores.mean.tolist(),
        sd=scores.sd.tolist(),
        trust=scores.trust.tolist(),
        contribution=scorer.attribute(x).tolist(),
    )


def check_golden(scorer: Scorer) -> None:
    """Score the manifest's golden rows.

    Raises
    ------
    BundleCorrupt
        If an output has another shape, is not finite, or differs.
    """
    golden = scorer.manifest.golden
    x, dose = _floats(golden.x), _floats(golden.dose)
    scores = scorer.score(x, np.asarray(golden.segment, dtype=np.int64), dose)
    rows, arms = len(x), len(scorer.manifest.arms)
    groups = len(scorer.manifest.factor_groups)
    outputs = (
        ("hazards", scores.hazards, golden.hazards, (rows, 3)),
        ("mean", scores.mean, golden.mean, (rows, arms, 3)),
        ("sd", scores.sd, golden.sd, (rows, arms, 3)),
        ("trust", scores.trust, golden.trust, (rows, arms)),
        ("contribution", scorer.attribute(x), golden.contribution, (rows, 3, groups)),
    )
    for name, found, expected, shape in outputs:
        wanted = np.asarray(expected, dtype=np.float64)
        if found.shape != shape or wanted.shape != shape:
            raise BundleCorrupt(f"{scorer.manifest.version}: {name} has the wrong shape.")
        if not np.allclose(found, wanted, rtol=RELATIVE, atol=ABSOLUTE):
            worst = float(np.abs(found - wanted).max())
            raise BundleCorrupt(
                f"{scorer.manifest.version}: {name} of the golden rows is off by {worst:.2g}."
            )


def _plain(values: NDArray[Any]) -> list[list[float | None]]:
    return [[None if np.isnan(v) else float(v) for v in row] for row in values]


def _floats(rows: list[list[float | None]]) -> Float32:
    # A list of None becomes NaN only through float64.
    return np.asarray(rows, dtype=np.float64).astype(np.float32)
