"""A home with two registered bundles that real processes can serve: b0 before, b1 in use."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from features.catalogue import feature_hash
from flyball.home import Home
from flyball.instant import DAY_US
from ledger.sqlite_ledger import SqliteLedger
from tests.integration.deciding.conftest import (  # noqa: F401
    MONDAY_US,
    TENANTS,
    filled,
    make_bundle,
)
from tests.integration.robustness.conftest import typed  # noqa: F401
from training.registry import CHALLENGER, CHAMPION, MODEL_NAME, PREVIOUS, version_tags
from training.tracking import store_of, tracking

#: Every rule that a home of last year's usage would trip over is off; 0.85 for everybody.
SETTINGS = """
[policy]
name = "constant"
arm = 85

[decisions]
tick_ms = 50

[guardrails]
stale_feature_rule = false
spike_rule = false
renewal_rule = false
friction_share = 1.0
harm_budget = "none"
"""


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> dict[str, Path]:  # noqa: F811
    """Signed bundles by version, a day apart; b2 sees other risks and no use in friction."""
    folder = tmp_path_factory.mktemp("bundles")
    passed = [{"name": "evidence", "verdict": "passed"}, {"name": "parity", "verdict": "passed"}]
    return {
        "b0": make_bundle(folder, filled, "b0", MONDAY_US),
        "b1": make_bundle(folder, filled, "b1", MONDAY_US + DAY_US),
        "b2": make_bundle(
            folder, filled, "b2", MONDAY_US + 2 * DAY_US,
            upgrade_effect=-0.02, intercept=-2.0, gates=passed,
        ),
    }  # fmt: skip


@pytest.fixture(scope="session")
def failed(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> Path:  # noqa: F811
    """A signed challenger that a gate has refused."""
    folder = tmp_path_factory.mktemp("failed")
    gates = [{"name": "evidence", "verdict": "passed"}, {"name": "brier", "verdict": "failed"}]
    return make_bundle(folder, filled, "b3", MONDAY_US + 3 * DAY_US, gates=gates)


@pytest.fixture(scope="session")
def registered(
    tmp_path_factory: pytest.TempPathFactory,
    filled: Path,  # noqa: F811
    bundles: dict[str, Path],
) -> Path:
    """The filled home with a registry: b1 champion, b0 previous, b2 challenger, all passed."""
    home = Home(tmp_path_factory.mktemp("registered") / "home")
    shutil.copytree(filled, home.root)
    store = store_of(home)
    with tracking(store) as client:
        client.create_registered_model(MODEL_NAME)
        for number, (version, alias) in enumerate(
            zip(bundles, (PREVIOUS, CHAMPION, CHALLENGER), strict=True), start=1
        ):
            source = home.mlflow / "made" / version
            shutil.copytree(bundles[version], source / "data" / version)
            tags = version_tags(version, feature_hash(), "passed", {"evidence": "passed"})
            client.create_model_version(MODEL_NAME, source=source.as_uri(), tags=tags)
            client.set_registered_model_alias(MODEL_NAME, alias, str(number))
    return home.root


@pytest.fixture
def home(registered: Path, tmp_path: Path) -> Home:
    """A copy with a running experiment."""
    shutil.copytree(registered, tmp_path / "home")
    found = Home(tmp_path / "home")
    found.settings.write_text(SETTINGS)
    with SqliteLedger(found.ledger) as ledger:
        ledger.start_experiment(
            "trial",
            epsilon=0.05,
            holdout_share=0.1,
            author="test",
            reason="test",
            now_us=MONDAY_US - DAY_US,
            secret=b"0123456789abcdef",
        )
    return found


@pytest.fixture
def tenants() -> tuple[str, ...]:
    return TENANTS
