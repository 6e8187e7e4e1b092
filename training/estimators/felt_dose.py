"""How much of a dose is felt: less and less of each further bit.

The first refused requests are noticed by everybody; a tenant who is refused a tenth of its demand
hardly notices one percent more. A predicted dose is also the less certain the larger it is. Both
bend the line between dose and effect, so

    felt(d) = d / (1 + |d| / h)

which is d while d is small, half of d at |d| = h, and never more than h (Michaelis and Menten
1913).
"""

from __future__ import annotations

import numpy as np

from training.dataset import Floats

#: Dose of blocked share at which half of it is felt.
HALF_FELT_SHARE = 0.07


def felt_dose(dose: Floats, half_felt: float) -> Floats:
    """What is felt of ``dose``, same shape and unit; all of it with ``half_felt`` infinite (> 0).

    Examples
    --------
    >>> float(felt_dose(np.asarray(0.07), 0.07)), float(felt_dose(np.asarray(-0.2), np.inf))
    (0.035, -0.2)
    """
    return np.asarray(dose / (1.0 + np.abs(dose) / half_felt), dtype=np.float64)
