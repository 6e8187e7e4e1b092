"""From a dataset to a champion that serving sees, and back; gates block on the way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from flyball.errors import BundleOutdated, NotFound, Refused, SignatureInvalid
from flyball.gate_settings import GateSettings
from flyball.home import Home
from models.current import open_current, read_current
from models.signature import create_keypair, load_public_key
from training.contract import Contract
from training.dataset import Dataset
from training.publisher import publish_champion, watch
from training.registry import CHALLENGER, CHAMPION, PREVIOUS, Registry
from training.run import TrainingResult, train
from training.tracking import store_of, tracking

pytestmark = pytest.mark.train

HASH = "ab" * 8
Trained = tuple[Home, TrainingResult, TrainingResult]


def registry_of(home: Home) -> Registry:
    return Registry(store_of(home))


def holders(home: Home) -> dict[str, int]:
    return {alias: each.version for each in registry_of(home).versions() for alias in each.aliases}


def test_a_version_that_passes_becomes_champion_and_the_old_one_previous(trained: Trained) -> None:
    home, first, second = trained
    assert first.first
    assert not second.first
    assert first.promoted
    assert second.promoted
    assert holders(home) == {CHAMPION: 2, PREVIOUS: 1}


def test_the_second_version_was_compared_with_the_first(trained: Trained) -> None:
    named = {gate.name: gate for gate in trained[2].gates.gates}
    assert named["log_loss_vs_champion.churn"].verdict == "passed"
    assert named["log_loss_vs_champion.churn"].figure is not None


def test_everything_about_a_run_is_in_mlflow(trained: Trained) -> None:
    home = trained[0]
    version = registry_of(home).version(1)
    assert version.tags["gate.onnx_parity"].startswith("passed: ")
    with tracking(store_of(home)) as client:
        run = client.get_run(version.run_id)
        papers = {item.path for item in client.list_artifacts(version.run_id, "report")}
        pictures = ("calibration", "gain", "qini", "arm_value", "overlap", "segments")
        assert {f"report/{name}.png" for name in pictures} <= papers
        tables = ("card.md", "gates.json", "gates.md", "overlap.json", "policy.json")
        assert {f"report/{name}" for name in tables} <= papers
        assert run.data.params["upgrade.kind"] in {"logistic", "lightgbm"}
        assert run.data.metrics["test.churn.log_loss"] > 0
        assert 0 < run.data.metrics["data.churn.rate_28"] < 1
        assert "segment.smb.churn.log_loss" in run.data.metrics
        assert "gate.scoring_latency" in run.data.metrics
        assert run.inputs.dataset_inputs[0].dataset.name == "units-decisions"
        import mlflow.models

        model = mlflow.models.get_model_info("models:/flyball/1")
        assert model.signature.inputs.input_names() == ["growth", "peak_share", "logins", "tickets"]
        assert model.saved_input_example_info is not None


def test_a_data_scientist_can_load_the_champion_through_mlflow(
    trained: Trained, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = trained[0]
    monkeypatch.setenv("FLYBALL_VERIFY_KEY", str(home.verify_key))
    with tracking(store_of(home)):
        import mlflow.pyfunc

        model = mlflow.pyfunc.load_model("models:/flyball@champion")
        frame = dataset.rows.slice(0, 20).select(list(dataset.features)).to_pandas()
        found = model.predict(frame)
    assert list(found.columns) == ["upgrade", "downgrade", "churn"]
    assert ((found > 0) & (found < 1)).all().all()


def test_no_pickle_is_in_the_artefact(trained: Trained) -> None:
    with registry_of(trained[0]).bundle(2) as directory:
        names = {path.name for path in directory.parents[1].rglob("*") if path.is_file()}
    assert "hazards.onnx" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]


def test_a_failing_gate_leaves_the_champion_alone(home: Home, dataset: Dataset) -> None:
    contract = _contract(dataset)
    strict = GateSettings(latency_ratio=0.0)
    result = train(dataset, home, contract=contract, settings=strict)
    assert [gate.name for gate in result.gates.failed] == ["scoring_latency"]
    assert not result.promoted
    assert holders(home) == {CHAMPION: 2, PREVIOUS: 1, CHALLENGER: 3}
    with pytest.raises(Refused, match="scoring_latency"):
        registry_of(home).promote(3, HASH)


def test_a_first_training_without_evidence_ends_without_a_champion(
    new_home: Callable[[], Home], dataset: Dataset
) -> None:
    home = new_home()
    few = dataset.take(np.arange(len(dataset)) % 40 == 0)
    result = train(few, home, contract=_contract(dataset))
    assert result.gates.status == "insufficient"
    assert result.champion is None
    assert publish_champion(home, HASH).version is None
    with pytest.raises(Refused, match="insufficient"):
        registry_of(home).promote(1, HASH)


def test_a_champion_that_cannot_be_read_does_not_keep_a_new_one_from_being_trained(
    home: Home, dataset: Dataset
) -> None:
    shutil.rmtree(home.signing_key.parent)
    result = train(dataset, home, contract=_contract(dataset))
    reasons = {g.reason for g in result.gates.gates if g.name == "log_loss_vs_champion.churn"}
    assert any("signed with another key" in reason for reason in reasons)
    assert result.promoted


def test_not_promoting_on_request_keeps_the_champion(home: Home, dataset: Dataset) -> None:
    result = train(dataset, home, contract=_contract(dataset), promote=False)
    assert result.gates.passed
    assert holders(home)[CHAMPION] == 2
    assert registry_of(home).promote(result.version, HASH).aliases == (CHAMPION,)
    assert holders(home) == {CHAMPION: 3, PREVIOUS: 2}


def test_rollback_swaps_champion_and_previous_and_back(home: Home) -> None:
    now, before = registry_of(home).rollback(HASH)
    assert (now.version, before.version) == (1, 2)
    assert holders(home) == {CHAMPION: 1, PREVIOUS: 2}
    registry_of(home).rollback(HASH)
    assert holders(home) == {CHAMPION: 2, PREVIOUS: 1}


def test_a_version_of_other_features_cannot_come_back(home: Home) -> None:
    with pytest.raises(Refused, match="other feature definitions"):
        registry_of(home).rollback("cd" * 8)
    assert holders(home)[CHAMPION] == 2


def test_an_empty_registry_is_not_created_by_looking(tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    assert registry_of(home).versions() == []
    assert not home.root.exists()
    with pytest.raises(NotFound, match="no version 4"):
        registry_of(home).promote(4, HASH)
    with pytest.raises(NotFound, match="earlier champion"):
        registry_of(home).rollback(HASH)


def test_publishing_moves_the_pointer_once_and_follows_a_rollback(home: Home) -> None:
    first = publish_champion(home, HASH)
    assert (first.version, first.changed) == (2, True)
    assert not publish_champion(home, HASH).changed
    bundle = open_current(home.bundles, load_public_key(home.verify_key), feature_hash=HASH)
    assert bundle is not None
    assert bundle.version == first.bundle
    registry_of(home).rollback(HASH)
    assert publish_champion(home, HASH).version == 1
    pointer = read_current(home.bundles)
    assert pointer is not None
    assert pointer.rollback


def test_an_alias_moved_by_hand_to_a_failed_version_is_not_published(home: Home) -> None:
    publish_champion(home, HASH)
    with tracking(store_of(home)) as client:
        client.set_model_version_tag("flyball", "1", "gates", "failed")
        client.set_registered_model_alias("flyball", CHAMPION, "1")
    with pytest.raises(Refused, match="gates have not passed"):
        publish_champion(home, HASH)
    pointer = read_current(home.bundles)
    assert pointer is not None
    assert pointer.version == registry_of(home).version(2).bundle


def test_a_bundle_altered_in_the_artefact_store_is_not_published(
    new_home: Callable[[], Home], trained: Trained, home: Home
) -> None:
    with registry_of(home).bundle(2) as directory:
        artefact = _artefact(trained[0], directory.name)
        kept = (artefact / "hazards.onnx").read_bytes()
        (artefact / "hazards.onnx").write_bytes(kept[:-1] + b"\0")
        try:
            with pytest.raises(SignatureInvalid):
                publish_champion(home, HASH)
        finally:
            (artefact / "hazards.onnx").write_bytes(kept)
    assert read_current(home.bundles) is None


def test_a_bundle_signed_by_another_key_is_not_published(home: Home) -> None:
    shutil.rmtree(home.signing_key.parent)
    create_keypair(home.signing_key, home.verify_key)
    with pytest.raises(SignatureInvalid):
        publish_champion(home, HASH)


def test_a_bundle_of_other_features_is_not_published(home: Home) -> None:
    with pytest.raises(BundleOutdated):
        publish_champion(home, "cd" * 8)


def test_watching_tells_each_thing_once_and_survives_errors(home: Home) -> None:
    said: list[str] = []
    stop = Event()

    def tell(words: str) -> None:
        said.append(words)
        if len(said) == 1:
            registry_of(home).rollback(HASH)
            (home.bundles / "current.json").write_text("{")
        elif len(said) == 2:
            (home.bundles / "current.json").unlink()
        else:
            stop.set()

    watch(home, HASH, stop=stop, tell=tell, poll_seconds=0.01)
    assert said[0].startswith("version 2 ")
    assert said[1].startswith("not published: current.json")
    assert said[2].startswith("version 1 ")


def test_the_bundle_says_what_it_is(trained: Trained) -> None:
    with registry_of(trained[0]).bundle(2) as directory:
        manifest = json.loads((directory / "manifest.json").read_text())
        card = (directory / "card.md").read_text()
    assert {gate["name"] for gate in manifest["gates"]} >= {"evidence", "onnx_parity"}
    assert set(manifest["calibration"]["churn"]) == {"friction", "relief"}
    assert manifest["segments"] == ["enterprise", "smb"]
    assert manifest["data_window"]["events"]["upgrade"] > 0
    assert "| churn | " in card
    trust = manifest["data_window"]["trust"]
    assert f"Level of trust: **{trust['level']}**" in card
    assert set(trust["segments"]) == {"enterprise", "smb", "other"}
    assert registry_of(trained[0]).version(2).tags["trust"] == trust["level"]


def _contract(dataset: Dataset) -> Contract:
    groups = {"demand": dataset.features[:2], "people": dataset.features[2:]}
    return Contract(features=dataset.features, feature_hash=HASH, factor_groups=groups)


def _artefact(home: Home, bundle: str) -> Path:
    return next(path.parent for path in home.mlflow.rglob("SIGNATURE") if path.parts[-2] == bundle)
