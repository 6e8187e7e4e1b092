"""A home with two trained versions, made once; every test gets a copy of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flyball.home import Home
from tests.integration.training.refusing import attempt, claiming  # noqa: F401
from training.contract import Contract
from training.dataset import Dataset
from training.rehearsal import World, rehearse
from training.run import TrainingResult, train

WORLD = World(tenants=900, weeks=16, base=(0.04, 0.01, 0.03))
CONTRACT = Contract(
    features=WORLD.features,
    feature_hash="ab" * 8,
    factor_groups={"demand": WORLD.features[:2], "people": WORLD.features[2:]},
)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return rehearse(WORLD)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty MLflow database: migrating takes seconds, copying does not."""
    from training.registry import Registry
    from training.tracking import store_of, tracking

    home = Home(tmp_path_factory.mktemp("migrated"))
    with tracking(store_of(home)) as client:
        client.search_experiments()
    assert Registry(store_of(home)).versions() == []
    return home.mlflow / "mlflow.db"


@pytest.fixture(scope="session")
def new_home(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Home]:
    """Makes homes that have a migrated database and nothing else."""

    def make() -> Home:
        home = Home(tmp_path_factory.mktemp("home"))
        home.mlflow.mkdir()
        shutil.copy(template, home.mlflow / "mlflow.db")
        return home

    return make


@pytest.fixture(scope="session")
def trained(
    new_home: Callable[[], Home], dataset: Dataset
) -> tuple[Home, TrainingResult, TrainingResult]:
    """Two trainings in one home: a first champion, then one that takes over. Never changed."""
    home = new_home()
    first = train(dataset, home, contract=CONTRACT)
    return home, first, train(dataset, home, contract=CONTRACT, seed=8)


@pytest.fixture
def home(trained: tuple[Home, TrainingResult, TrainingResult], tmp_path: Path) -> Home:
    """A copy whose aliases may be moved; artefacts are read from where they were made."""
    copy = tmp_path / "home"
    shutil.copytree(trained[0].root, copy)
    return Home(copy)
