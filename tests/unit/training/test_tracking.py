"""The tracking database is whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.home import Home
from training.tracking import store_of, tracking


@pytest.mark.train
@pytest.mark.filterwarnings("ignore")  # MLflow's own, imported here outside of our care
def test_an_interrupted_first_start_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.store.tracking import sqlalchemy_store

    def half_made(uri: str, artefacts: str) -> None:
        Path(uri.removeprefix("sqlite:///")).write_bytes(b"half a database")
        raise KeyboardInterrupt

    monkeypatch.setattr(sqlalchemy_store, "SqlAlchemyStore", half_made)
    home = Home(tmp_path)
    with pytest.raises(KeyboardInterrupt), tracking(store_of(home)):
        pass
    assert [path.name for path in home.mlflow.iterdir()] == ["artefacts"]
