"""One feature table with everything that its header names, opened: batches of requests, appraised.

Requests that arrive together are scored together, in one call of each graph: a score does not
depend on its neighbours (docs/adr/0005), and sixteen rows cost little more than one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray

from features.catalogue import feature_hash
from flyball.economics import Economics
from flyball.errors import BundleError
from flyball.outlook import Outlook
from flyball.policies.registry import policy_named
from models.bundle import open_bundle
from models.outlook import outlooks_of
from models.scorer import Scorer
from serving.evaluating.evaluation import evaluate, is_live_spike
from serving.evaluating.feature_table import FeatureRow, FeatureTable
from serving.evaluating.live_context import LiveContext
from serving.evaluating.verdict import NOTHING, Evaluated
from serving.snapshot.answer import Answer

#: A tenant's decision in force, and what the gateway sees.
Asked = tuple[Answer, LiveContext]


class Appraiser:
    """Evaluates from one table. Make it with :func:`open_appraiser`."""

    def __init__(self, table: FeatureTable, scorer: Scorer | None) -> None:
        header = table.header
        self.table = table
        self.scorer = scorer
        self._policy = policy_named(header.policy, **header.policy_params)
        if self._policy.version != header.policy_version:
            raise BundleError(
                f"The feature table was written for {header.policy} {header.policy_version}, "
                f"which is {self._policy.version} here.",
                "Run the same version of Flyball in all processes.",
            )
        economics = header.economics
        self._economics = None if economics is None else Economics(**economics)  # type: ignore[arg-type]
        position = {name: at for at, name in enumerate(header.features)}
        names = () if scorer is None else scorer.manifest.features
        self._columns = np.array([position[name] for name in names], dtype=np.int64)
        self._mean_at = position["share_mean_7d"]
        self._peak_at = position["share_peak_28d"]
        self._demand_at = [position[name] for name in ("share_peak_7d", "share_peak_28d")]
        self._workflows_at = position["workflows_peak_28d"]

    def appraise(self, asked: Sequence[Asked]) -> list[Evaluated]:
        """Evaluate several tenants in one call of the graphs, in their order."""
        rows = [self.table.row(answer.tenant_id) for answer, _ in asked]
        known = [(row, *one) for row, one in zip(rows, asked, strict=True) if row is not None]
        if not known:
            return [NOTHING] * len(asked)
        records = np.frombuffer(b"".join([row.record for row, _, _ in known]), self.table.type)
        # A copy of our own, in this machine's byte order: raised below.
        features = np.array(records["features"], dtype=np.float32)
        usual = features[:, [self._mean_at, self._peak_at]].tolist()
        outlooks = self._outlooks(records, features, known)
        header = self.table.header
        found = [
            Evaluated(
                evaluation=evaluate(
                    header,
                    self._policy,
                    self._economics,
                    row,
                    outlook,
                    arm_in_force=answer.arm,
                    spike=is_live_spike(header, mean, peak, context, answer.base_limit),
                ),
                as_of_us=row.as_of_us,
                model_version=header.model_version,
                policy=header.policy,
            )
            for (row, answer, context), outlook, (mean, peak) in zip(
                known, outlooks, usual, strict=True
            )
        ]
        if len(found) == len(asked):
            return found
        following = iter(found)
        return [NOTHING if row is None else next(following) for row in rows]

    def _outlooks(
        self,
        records: NDArray[np.void],
        features: NDArray[np.float32],
        known: Sequence[tuple[FeatureRow, Answer, LiveContext]],
    ) -> list[Outlook]:
        demand = [row.demand_per_period for row, _, _ in known]
        if self.scorer is None:
            return [Outlook(hazards=None, effects={}, demand_per_period=one) for one in demand]
        self._raise(features, known)
        dose = np.array(records["dose"], dtype=np.float32)
        segment = records["model_segment"].astype(np.int64)
        scores = self.scorer.score(features[:, self._columns], segment, dose)
        return outlooks_of(scores, self.table.header.dose_arms, dose, demand)

    def _raise(
        self,
        features: NDArray[np.float32],
        known: Sequence[tuple[FeatureRow, Answer, LiveContext]],
    ) -> None:
        """Make the features what they will be once telemetry has seen what the gateway sees now.

        Only those that one more observation can only raise are touched: peaks of demand and of
        workflows. NaN is "never seen" on both sides, which fmax passes over.
        """
        shares = [
            context.demand / answer.base_limit
            if context.demand is not None and answer.base_limit
            else _NEVER
            for _, answer, context in known
        ]
        workflows = [
            _NEVER if context.concurrency is None else context.concurrency
            for _, _, context in known
        ]
        seen: Any = np.array((shares, workflows), dtype=np.float32)
        for at in self._demand_at:
            features[:, at] = np.fmax(features[:, at], seen[0])
        features[:, self._workflows_at] = np.fmax(features[:, self._workflows_at], seen[1])


_NEVER = float("nan")


def open_appraiser(
    path: Path, bundles: Path, key: Ed25519PublicKey, held: Appraiser | None = None
) -> Appraiser:
    """Open the table at ``path`` and the bundle that it was written for.

    Parameters
    ----------
    path:
        The table's file.
    bundles, key:
        Where bundles lie, and whom they must be signed by.
    held:
        The one before, whose models are used again if they are the same.

    Raises
    ------
    FlyballError
        The table or the bundle cannot be trusted, or is of another version.
    OSError
        The table cannot be read.
    """
    table = FeatureTable(path)
    try:
        return Appraiser(table, _scorer(table.header.model_version, bundles, key, held))
    except BaseException:
        table.close()
        raise


def _scorer(
    version: str, bundles: Path, key: Ed25519PublicKey, held: Appraiser | None
) -> Scorer | None:
    if not version:
        return None
    before = None if held is None else held.scorer
    if before is not None and before.manifest.version == version:
        return before
    # The publisher and the control loop have tried it in a child process already.
    return Scorer(open_bundle(bundles / version, key, feature_hash=feature_hash(), probe=False))
