"""How MLflow loads a bundle for a data scientist: ``mlflow.pyfunc.load_model``.

No pickle: the model is the signed bundle directory, and this module is the loader named in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import open_bundle
from models.manifest import OUTCOMES
from models.scorer import Scorer
from models.signature import load_public_key

#: Path of the public key that bundles are verified with; else the home's.
KEY_VARIABLE = "FLYBALL_VERIFY_KEY"


class HazardModel:
    """Hazards per period at m = 1 for rows of features.

    Examples
    --------
    >>> model = mlflow.pyfunc.load_model("models:/flyball@champion")  # doctest: +SKIP
    >>> model.predict(frame)  # doctest: +SKIP
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def predict(self, frame: Any) -> Any:
        """Columns upgrade, downgrade, churn for ``frame``, which has one column a feature."""
        import pandas as pd

        names = list(self._scorer.manifest.features)
        x = np.ascontiguousarray(frame[names].to_numpy(dtype=np.float32))
        return pd.DataFrame(self._scorer.hazards(x), columns=list(OUTCOMES))


def _load_pyfunc(path: str) -> HazardModel:
    """Called by MLflow with the bundle directory; verifies it before anything is parsed."""
    home = Path(os.environ.get("FLYBALL_HOME", ".flyball"))
    key = os.environ.get(KEY_VARIABLE) or home / "keys" / "signing.pub"
    return HazardModel(Scorer(open_bundle(Path(path), load_public_key(Path(key)), probe=False)))
