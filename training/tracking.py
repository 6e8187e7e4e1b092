"""MLflow, quietly: no telemetry, no chatter, and its global address only borrowed.

Nothing of MLflow is imported before :func:`tracking` is entered, because MLflow reads part of its
environment at import.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyball.errors import StorageError
from flyball.home import Home

#: Environment that keeps MLflow from calling home and from inspecting what it need not.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}

_ADDRESSES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")

EXPERIMENT = "flyball"


@dataclass(frozen=True, slots=True)
class Store:
    """Where runs and models are kept: ``uri``; ``artefacts`` is None where a server decides."""

    uri: str
    artefacts: Path | None


def store_of(home: Home) -> Store:
    """``MLFLOW_TRACKING_URI`` if set, else SQLite and files below the home directory."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if uri:
        return Store(uri, None)
    return Store(f"sqlite:///{home.mlflow / 'mlflow.db'}", home.mlflow / "artefacts")


def store_exists(store: Store) -> bool:
    """False where nothing was ever logged locally; asking must not create a database."""
    return store.artefacts is None or (store.artefacts.parent / "mlflow.db").exists()


@contextmanager
def tracking(store: Store) -> Iterator[Any]:
    """Give an ``MlflowClient`` for ``store``; the process's MLflow address is restored afterwards.

    Raises
    ------
    StorageError
        The store cannot be reached or written.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if store.artefacts is not None:
        _make(store.artefacts)
    with warnings.catch_warnings():
        _ignore_foreign_warnings()
        import mlflow
        from mlflow.exceptions import MlflowException

        # After the import, which sets the levels itself.
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        if store.artefacts is not None:
            _create_database(store.artefacts)
        before = {name: os.environ.get(name) for name in _ADDRESSES}
        mlflow.set_tracking_uri(store.uri)
        mlflow.set_registry_uri(store.uri)
        try:
            yield mlflow.MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)
        except MlflowException as error:
            raise StorageError(
                f"The model registry at {_without_password(store.uri)} failed: {error}.",
                "Check MLFLOW_TRACKING_URI, free space and rights.",
            ) from error
        finally:
            # Setting an address also writes it into the environment, for everybody after us.
            mlflow.set_tracking_uri(None)
            mlflow.set_registry_uri("")
            _restore(before)


def _create_database(artefacts: Path) -> None:
    """Make MLflow's SQLite file whole or not at all.

    MLflow creates it in dozens of migrations over some seconds; interrupted between two of them it
    would refuse the file for ever. So they run on a neighbour that then takes the name.
    """
    database = artefacts.parent / "mlflow.db"
    if database.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    partial = database.with_name(f"mlflow.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    try:
        store = SqlAlchemyStore(f"sqlite:///{partial}", artefacts.as_uri())
        store.engine.dispose()
        # A link, not a rename: of two that start together, the first one's file stays.
        with suppress(FileExistsError):
            database.hardlink_to(partial)
    except OSError as error:
        raise StorageError(f"{database} cannot be created: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)


def _restore(environment: Mapping[str, str | None]) -> None:
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _ignore_foreign_warnings() -> None:
    # MLflow and what it imports warn about their own future; nothing here can act on it.
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"(mlflow|pydantic)(\..*)?")


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{directory} cannot be created: {error.strerror}.") from error


def _without_password(uri: str) -> str:
    head, at, tail = uri.rpartition("@")
    return f"{head.split('://')[0]}://…@{tail}" if at else uri
