"""A small signed bundle of linear models, and the keys for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from models.bundle import Bundle, write_bundle
from training.export.draft import Training, draft_bundle
from training.outcome_model import FittedOutcome, Linear, Platt

FEATURES = ("share_mean", "slope", "logins", "tenure")
ARMS = (70, 85, 100, 115, 130)
FEATURE_HASH = "ab" * 16


@dataclass(frozen=True)
class Keys:
    """A pair made for one test run."""

    private: Ed25519PrivateKey
    public: Ed25519PublicKey


@pytest.fixture(scope="session")
def keys() -> Keys:
    private = Ed25519PrivateKey.generate()
    return Keys(private, private.public_key())


@pytest.fixture(scope="session")
def draft() -> Bundle:
    random = np.random.default_rng(7)
    linear = Linear(
        coef=np.array([1.0, -0.5, 0.25, 0.0]),
        intercept=-2.0,
        impute=np.zeros(4),
        mean=np.full(4, 0.1),
        scale=np.full(4, 2.0),
    )
    mean = random.normal(0, 0.01, (3, 5, 3))
    mean[:, 2] = 0.0
    trust = np.array([[2, 2, 2, 2, 2], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
    return draft_bundle(
        Training(
            version="v1",
            created_us=1_767_571_200_000_000,
            as_of_us=1_767_571_200_000_000,
            features=FEATURES,
            feature_hash=FEATURE_HASH,
            factor_groups={"usage": FEATURES[:2], "engagement": FEATURES[2:]},
            outcomes=[
                FittedOutcome("upgrade", "logistic", 0.1, linear=linear),
                FittedOutcome("downgrade", "none", 0.01, reason="3 events"),
                FittedOutcome("churn", "logistic", 0.05, linear=linear, calibration=Platt(0.8, -1)),
            ],
            arms=ARMS,
            period_days=7,
            segments=("enterprise", "startup"),
            effect_mean=mean,
            effect_sd=np.abs(random.normal(0, 0.01, (3, 5, 3))),
            effect_trust=trust,
            sample=random.normal(size=(20, 4)),
            card="# Model card\n",
        )
    )


@pytest.fixture
def signed(tmp_path: Path, draft: Bundle, keys: Keys) -> Callable[..., Path]:
    """Write the draft, with changes to its manifest or graphs, as a correctly signed bundle."""

    def write(name: str = "v1", graphs: dict[str, bytes] | None = None, **changes: object) -> Path:
        manifest = msgspec.structs.replace(draft.manifest, **{"version": name, **changes})
        directory = tmp_path / "made" / name
        write_bundle(
            directory,
            Bundle(manifest, {**draft.graphs, **(graphs or {})}, draft.card),
            keys.private,
        )
        return directory

    return write
