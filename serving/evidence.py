"""From one pass over tenants to the evidence that people can read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from flyball.decision import Decision
from flyball.outlook import Estimate, Outlook, Trust, chances_under
from ledger.explanations import ArmView, Evidence
from models.matrix import inputs_of
from models.scorer import Scorer

#: Chances are told over 28 days.
_HORIZON_DAYS = 28


def evidence_of(
    table: pa.Table,
    decisions: Sequence[Decision],
    outlooks: Sequence[Outlook],
    scorer: Scorer,
    *,
    as_of_us: int,
) -> Iterator[tuple[str, Evidence]]:
    """Tenant and evidence for every decision; ``outlooks`` has one entry a row of ``table``."""
    manifest = scorer.manifest
    inputs = inputs_of(table, manifest)
    contributions = scorer.attribute(inputs.x)
    groups = [group.name for group in manifest.factor_groups]
    rows = {name: row for row, name in enumerate(table.column("tenant_id").to_pylist())}
    for decision in decisions:
        row = rows[decision.tenant_id]
        outlook = outlooks[row]
        by_outcome: Any = contributions[row].tolist()
        yield (
            decision.tenant_id,
            Evidence(
                decision_id=decision.decision_id,
                as_of_us=as_of_us,
                model_version=decision.model_version,
                proposed_arm=decision.proposed_arm,
                contributions={
                    outcome: dict(zip(groups, by_outcome[at], strict=True))
                    for at, outcome in enumerate(manifest.outcomes)
                },
                arms=arm_views(decision, outlook, manifest.period_days),
                features={
                    name: None if math.isnan(value) else value
                    for name, value in zip(manifest.features, inputs.x[row].tolist(), strict=True)
                },
                upgrade=decision.upgrade_probability,
                churn=decision.churn_probability,
            ),
        )


def evidence_by_model(
    table: pa.Table,
    decisions: Sequence[Decision],
    outlooks: Sequence[Outlook],
    scorers: Iterable[Scorer | None],
    *,
    as_of_us: int,
) -> Iterator[tuple[str, Evidence]]:
    """The same, each decision explained by the model behind it; without that model, not at all."""
    for scorer in scorers:
        if scorer is None:
            continue
        version = scorer.manifest.version
        own = [decision for decision in decisions if decision.model_version == version]
        if own:
            yield from evidence_of(table, own, outlooks, scorer, as_of_us=as_of_us)


def arm_views(decision: Decision, outlook: Outlook, period_days: int) -> list[ArmView]:
    """Every arm's chances over 28 days held throughout; None where evidence is insufficient."""
    views = []
    periods = _HORIZON_DAYS / period_days
    for arm, effect in sorted(outlook.effects.items()):
        known = effect.trust is not Trust.NONE
        chances = chances_under(outlook, arm, period_days=period_days) if known else None
        views.append(
            ArmView(
                arm=arm,
                trust=effect.trust.value,
                dose=effect.dose,
                upgrade=None if chances is None else chances.upgrade,
                upgrade_sd=_over(effect.upgrade, periods) if known else None,
                churn=None if chances is None else chances.churn,
                churn_sd=_over(effect.churn, periods) if known else None,
                propensity=decision.offered.get(arm),
            )
        )
    return views


def _over(effect: Estimate | None, periods: float) -> float | None:
    # The same effect in every period: its uncertainty adds up, it does not average out.
    return None if effect is None else effect.sd * periods
