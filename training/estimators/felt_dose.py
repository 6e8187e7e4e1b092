"""How much of a dose is felt: less and less of each further bit.

The first refused requests are noticed by everybody; a tenant who is refused a tenth of its demand
hardly notices one percent more. A predicted share is also the less certain the larger it is. Both
bend the line between what is refused and what it does, so of a refused share b

    bent(b) = b / (1 + |b| / h)

counts, which is b while b is small, half of b at |b| = h, and never more than h (Michaelis and
Menten 1913). A dose d on top of a share ``already`` that m = 1 refuses is felt as
bent(already + d) - bent(already).
"""

from __future__ import annotations

import numpy as np

from training.dataset import Floats

#: Blocked share of which half counts.
HALF_FELT_SHARE = 0.07


def felt_dose(dose: Floats, already: Floats | None, half_felt: float) -> Floats:
    """What is felt of ``dose`` [n, A], same unit; all of it with ``half_felt`` infinite (> 0).

    ``already`` [n] is the share refused without any dose (>= 0); None: nothing.

    Examples
    --------
    >>> felt_dose(np.asarray([[0.07, 0.0]]), None, 0.07).tolist()
    [[0.035, 0.0]]
    >>> felt_dose(np.asarray([[0.07, -0.07]]), np.asarray([0.07]), 0.07).round(4).tolist()
    [[0.0117, -0.035]]
    """
    if already is None:
        return _bent(dose, half_felt)
    before = np.asarray(already, dtype=np.float64)[:, None]
    return _bent(before + dose, half_felt) - _bent(before, half_felt)


def _bent(share: Floats, half_felt: float) -> Floats:
    return np.asarray(share / (1.0 + np.abs(share) / half_felt), dtype=np.float64)
