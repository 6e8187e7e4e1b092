"""One training from dataset to registered version: fit, judge, sign, log, promote."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flyball.errors import BundleError, NotFound
from flyball.gate_settings import GateSettings
from flyball.home import Home
from flyball.instant import format_instant
from models.bundle import open_bundle, write_bundle
from models.scorer import Scorer
from models.signature import ensure_keypair, load_private_key, load_public_key
from training.candidate import Fitted, Notice, Rival, fit_and_judge
from training.contract import Contract, catalogue_contract, catalogue_hash
from training.dataset import Dataset
from training.effects import ArmEffects, EffectEstimator
from training.estimators.overlap import arm_overlap
from training.estimators.table import table_of
from training.evaluation import Report
from training.gate import GateTable
from training.plots.gallery import Exhibits
from training.registry import CHAMPION, RegisteredVersion, Registry
from training.risk import RiskModel
from training.run_log import EXAMPLE_ROWS, RunRecord, log_run
from training.stakes import Stakes
from training.tracking import store_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """What one training came to.

    ``version`` is its number in the registry, ``run_id`` its run in MLflow; ``champion`` the
    champion afterwards; ``promoted`` whether that is this version; ``first`` whether nothing had
    been registered before.
    """

    version: int
    run_id: str
    bundle_version: str
    models: tuple[RiskModel, ...]
    effects: ArmEffects
    report: Report
    gates: GateTable
    champion: RegisteredVersion | None
    promoted: bool
    first: bool


def train(
    dataset: Dataset,
    home: Home,
    *,
    contract: Contract | None = None,
    seed: int = 7,
    promote: bool = True,
    estimator: EffectEstimator | None = None,
    settings: GateSettings | None = None,
    stakes: Stakes | None = None,
    notice: Notice = lambda _: None,
) -> TrainingResult:
    """Train on ``dataset``, register the signed bundle, and promote it if its gates pass.

    A failing gate leaves the champion alone; the result says so, nothing is raised for it.
    Without ``stakes`` (money rules and plans) gates on the policy's value cannot speak.

    Raises
    ------
    InvalidInput
        There is nothing to learn from.
    StorageError
        The registry or the home cannot be written.
    """
    terms = contract or catalogue_contract()
    store = store_of(home)
    registry = Registry(store)
    notice("reading the registry")
    known = registry.versions()
    _ensure_keys(home)
    fitted = fit_and_judge(
        dataset,
        terms,
        rival=_rival(registry, known, home),
        seed=seed,
        estimator=estimator,
        settings=settings,
        stakes=stakes,
        # What the code computes is asked again and not taken from what was trained on.
        code_hash=catalogue_hash() if contract is None else contract.feature_hash,
        notice=notice,
    )
    notice("signing and registering")
    with tempfile.TemporaryDirectory(prefix="flyball-train-") as folder:
        directory = Path(folder) / fitted.bundle.version
        write_bundle(directory, fitted.bundle, load_private_key(home.signing_key))
        number, run_id = log_run(store, _record(dataset, terms, fitted, directory, home, seed))
    promoted = promote and fitted.gates.passed
    if promoted:
        registry.promote(number, terms.feature_hash)
    else:
        registry.challenge(number)
    return TrainingResult(
        version=number,
        run_id=run_id,
        bundle_version=fitted.bundle.version,
        models=fitted.models,
        effects=fitted.effects,
        report=fitted.report,
        gates=fitted.gates,
        champion=registry.holder(CHAMPION),
        promoted=promoted,
        first=not known,
    )


def _ensure_keys(home: Home) -> None:
    ensure_keypair(home.signing_key, home.verify_key)


def _rival(registry: Registry, known: Sequence[RegisteredVersion], home: Home) -> Rival:
    holder = next((each for each in known if CHAMPION in each.aliases), None)
    if holder is None:
        return Rival()
    try:
        with registry.bundle(holder.version) as directory:
            return Rival(open_bundle(directory, load_public_key(home.verify_key), probe=False))
    except (BundleError, NotFound) as error:
        # A lost or foreign champion must not keep a new one from being trained.
        return Rival(absent=f"the champion cannot be read: {error.message}")


def _record(
    dataset: Dataset, contract: Contract, fitted: Fitted, directory: Path, home: Home, seed: int
) -> RunRecord:
    parameters: dict[str, object] = {
        "as_of": format_instant(dataset.as_of_us),
        "seed": seed,
        "units": dataset.kind,
        "rows": len(dataset),
        "features": len(dataset.features),
        "feature_hash": contract.feature_hash,
        "period_days": dataset.period_days,
        "arms": " ".join(map(str, dataset.arms)),
        "effects": fitted.effects.summary,
    }
    for model in fitted.models:
        name = model.fitted.outcome
        parameters[f"{name}.kind"] = model.fitted.kind
        parameters[f"{name}.trees"] = model.trees
        parameters[f"{name}.slope"] = model.fitted.calibration.slope
        parameters[f"{name}.intercept"] = model.fitted.calibration.intercept
    x = dataset.matrix()[:EXAMPLE_ROWS]
    return RunRecord(
        bundle=directory,
        bundle_version=fitted.bundle.version,
        feature_hash=contract.feature_hash,
        parameters=parameters,
        dataset=dataset,
        hazards=Scorer(fitted.bundle).hazards(x).astype(np.float64),
        shown=Exhibits(
            judged=fitted.judged,
            report=fitted.report,
            effects=fitted.effects,
            policy=fitted.policy,
            overlap=arm_overlap(table_of(dataset, fitted.effects.segments)),
        ),
        gates=fitted.gates,
        effects={
            "summary": fitted.effects.summary,
            "evidence": dict(fitted.effects.evidence),
            "arms": list(fitted.effects.arms),
            "segments": list(fitted.effects.segments),
            "mean": fitted.effects.mean.tolist(),
            "sd": fitted.effects.sd.tolist(),
            "trust": fitted.effects.trust.tolist(),
        },
        card=fitted.bundle.card,
        verify_key=home.verify_key,
    )
