"""What friction of earlier weeks leaves with a tenant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Blocked share from which on a week counts as one under friction.
NOTICED = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Arrays of shape ``[n]``; all 0 with a tenant that never felt anything.

    ``grievance`` is blocked share of earlier weeks, decayed by 0.7 a week. ``toll`` is its sum over
    the running term, hardly decayed (0.98), and forgotten when the term is renewed. ``delayed`` is
    blocked share of about four to nine weeks ago (``onset`` is on its way there). ``weariness`` is
    the share of recent weeks with noticeable friction, 0..1.
    """

    grievance: Floats
    toll: Floats
    onset: Floats
    delayed: Floats
    weariness: Floats

    def after(self, felt: Floats, renewed: NDArray[np.bool_]) -> Memory:
        """The memory after a week with blocked share ``felt``."""
        onset = 0.8 * self.onset + 0.2 * felt
        return Memory(
            grievance=0.7 * self.grievance + 0.3 * felt,
            toll=np.where(renewed, 0.0, 0.98 * self.toll + felt),
            onset=onset,
            delayed=0.8 * self.delayed + 0.2 * self.onset,
            weariness=0.85 * self.weariness + 0.15 * (felt > NOTICED),
        )
