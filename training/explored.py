"""Which limits the training table's draws were made under, for the bundle to carry along."""

from __future__ import annotations

from collections import Counter

import numpy as np

from flyball.explored import ExploredLimits, Terms
from training.dataset import Dataset

COLUMNS = ("base_limit", "contract_limit", "window_seconds")
#: Terms kept a plan: own limits of thousands of accounts would swell the manifest. Those with most
#: periods are kept, and the lowest and highest base and contract share, so that ranges stay.
MOST_TERMS = 200


def explored_limits(dataset: Dataset) -> ExploredLimits | None:
    """Drawn periods by plan and limits; None where the table does not say or nothing was drawn."""
    if not set(COLUMNS) <= set(dataset.rows.column_names):
        return None
    drawn = np.asarray(dataset.text("assignment"), dtype=str) == "drawn"
    if not drawn.any():
        return None
    rows = dataset.take(drawn).rows
    counted: dict[str, Counter[Terms]] = {}
    columns = [rows[name].to_pylist() for name in ("plan", *COLUMNS)]
    for plan, base, contract, window in zip(*columns, strict=True):
        if None in (base, contract, window):
            continue
        counted.setdefault(plan, Counter())[Terms(int(base), int(contract), int(window))] += 1
    return ExploredLimits({plan: _kept(terms) for plan, terms in counted.items()})


def _kept(terms: Counter[Terms]) -> dict[Terms, int]:
    if len(terms) <= MOST_TERMS:
        return dict(terms)
    chosen = [each for each, _ in terms.most_common(MOST_TERMS - 4)]
    by_base = sorted(terms, key=lambda each: each.base)
    by_share = sorted(terms, key=lambda each: each.contract / each.base)
    ends = (by_base[0], by_base[-1], by_share[0], by_share[-1])
    return {each: terms[each] for each in dict.fromkeys((*chosen, *ends))}
