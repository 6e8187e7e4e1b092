"""One pass over all tenants: features, scores, rules, decisions, log.

The same inputs, as-of time, rules and bundle give the same decisions, byte for byte: tenants come
in order of their id, scores do not depend on their neighbours, and nothing here reads a clock.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from features.catalogue import feature_hash
from flyball.budget import Budgets
from flyball.case import Case
from flyball.deciding import decide_all
from flyball.decision import Decision, Mode, decision_id
from flyball.errors import Refused
from flyball.home import Home
from flyball.instant import DAY_US, format_instant, hour_of, period_start
from flyball.outlook import Outlook
from flyball.policy import Policy
from flyball.reason import Reason
from flyball.round import Round
from ledger.decision_change import ChangeCause, DecisionChange, DecisionRun
from ledger.sqlite_ledger import SqliteLedger
from models.bundle import Bundle
from models.current import open_current, read_current
from models.scorer import Scorer
from models.signature import load_public_key
from serving.cases import budgets_for, cases_of, explored_by, outlooks_of, usage_of
from serving.facts import Facts, read_facts
from serving.relations import connect, features_at, newest_arrival_us
from serving.rules import Rules, check_bundle, read_rules
from serving.settings import Settings
from serving.shadow.canary_cases import with_canary
from serving.shadow.challenger import Canary
from serving.stored import Stored, read_stored

# Codes that say that what held an arm within its period holds it no more.
_ENDS = frozenset({Reason.KILL_SWITCH_ENDED.value, Reason.OVERRIDE_ENDED.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one pass over tenants gave.

    ``decisions`` come in order of tenant; ``previous`` holds what was in force before. ``budgets``
    is what is left of the period's; ``demand`` expected requests per tenant and period. ``table``
    holds the features, ``outlooks`` what the models made of them and ``cases`` what was decided
    about, row by row. ``stored`` is what tenants store, where a plan limits it.
    """

    round: Round
    decisions: list[Decision]
    previous: Mapping[str, Decision]
    facts: Facts
    budgets: Budgets
    demand: Mapping[str, float]
    table: pa.Table
    outlooks: Sequence[Outlook]
    cases: Sequence[Case]
    stored: Stored
    duration_ms: float


def current_bundle(
    home: Home, settings: Settings, *, serving: Bundle | None = None
) -> Bundle | None:
    """The published bundle; None before the first publication.

    Parameters
    ----------
    serving:
        What is in use; an older one is refused unless the pointer calls it a rollback.

    Raises
    ------
    BundleError
        It must not be used.
    InvalidInput
        It was trained for other periods than are configured.
    """
    if read_current(home.bundles) is None:
        return None
    bundle = open_current(
        home.bundles,
        load_public_key(home.verify_key),
        serving=None if serving is None else serving.manifest,
        feature_hash=feature_hash(),
    )
    if bundle is not None:
        check_bundle(bundle, settings)
    return bundle


def decide_pass(
    home: Home,
    ledger: SqliteLedger,
    settings: Settings,
    *,
    as_of_us: int,
    mode: Mode,
    bundle: Bundle | None = None,
    policy: Policy | None = None,
) -> Pass:
    """Decide for every tenant as of a time, from what was known then. Nothing is written.

    Usage and commercial events count before the as-of time's hour; accounts, tickets, incidents
    and overrides up to the time itself.

    Parameters
    ----------
    policy:
        Instead of the configured one.
    """
    began = time.perf_counter()
    rules = read_rules(ledger, settings, as_of_us=as_of_us, bundle=bundle, policy=policy)
    killed = mode is Mode.LIVE and home.kill.exists()
    this = rules.round(as_of_us=as_of_us, mode=mode, bundle=bundle, killed=killed)
    connection = connect(home, ledger, as_of_us=as_of_us)
    try:
        return decide_with(
            connection,
            ledger,
            rules,
            this,
            as_of_hour=hour_of(as_of_us),
            scorer=scorer_of(bundle, settings),
            began=began,
        )
    finally:
        connection.close()


def scorer_of(bundle: Bundle | None, settings: Settings) -> Scorer | None:
    """The bundle's graphs, ready to run."""
    return None if bundle is None else Scorer(bundle, threads=settings.decisions.threads)


def decide_with(
    connection: Any,
    ledger: SqliteLedger,
    rules: Rules,
    this: Round,
    *,
    as_of_hour: int,
    scorer: Scorer | None,
    tenants: Collection[str] | None = None,
    budgets: Budgets | None = None,
    features_us: int | None = None,
    canary: Canary | None = None,
    began: float | None = None,
) -> Pass:
    """Decide for ``tenants`` (None: all) with the relations in ``connection``.

    Parameters
    ----------
    budgets:
        The period's, where only some tenants are decided; None makes them anew over all.
    features_us:
        The newest time that features can see; None asks the connection, which must then hold
        everybody's usage.
    canary:
        Whose models are the challenger's instead; None for nobody's.
    began:
        ``time.perf_counter()`` at the start of what counts as this pass.
    """
    began = time.perf_counter() if began is None else began
    facts = read_facts(
        ledger,
        connection,
        as_of_us=this.as_of_us,
        as_of_hour=as_of_hour,
        mode=this.mode,
        period_days=this.period_days,
        overdraft_window_periods=this.guardrails.overdraft_window_periods,
        # Only who makes the budgets asks who was tightened.
        harm_window_weeks=0 if budgets is not None else this.guardrails.harm_window_weeks,
        tenants=tenants,
        previous=_replayed(ledger, this) if this.mode is Mode.REPLAY else None,
    )
    table = features_at(connection, facts.accounts, as_of_hour)
    usage = usage_of(table, spike=this.guardrails.spike, period_days=this.period_days)
    demand = dict(zip(usage.tenants, usage.demand_per_period, strict=True))
    if budgets is None:
        budgets = budgets_for(this.guardrails, facts, demand, period_days=this.period_days)
    outlooks = outlooks_of(table, usage, this.grid.arms, scorer)
    if features_us is None:
        features_us = newest_arrival_us(connection, as_of_hour)
    least_periods = this.guardrails.explored_periods
    cases = cases_of(
        facts,
        usage,
        outlooks,
        features_us,
        explored=explored_by(scorer),
        least_periods=least_periods,
    )
    if canary is not None:
        cases = with_canary(cases, table, usage, this.grid.arms, canary, least_periods)
        outlooks = [case.outlook for case in cases]
    decisions = decide_all(this, cases, budgets)
    return Pass(
        round=this,
        decisions=decisions,
        previous=facts.previous,
        facts=facts,
        budgets=budgets,
        demand=demand,
        table=table,
        outlooks=outlooks,
        cases=cases,
        stored=read_stored(connection, facts.plans.values(), as_of_hour=as_of_hour),
        duration_ms=(time.perf_counter() - began) * 1_000.0,
    )


def _replayed(ledger: SqliteLedger, this: Round) -> dict[str, Decision]:
    """The latest decision of this very replay per tenant, in this period or the one before."""
    tenants = ledger.accounts_as_of(this.as_of_us)
    before_us = this.period_start_us - this.period_days * DAY_US
    starts = (before_us, period_start(this.as_of_us, this.period_days))
    names = [
        decision_id(tenant, start_us, this.mode, this.salt)
        for start_us in starts
        for tenant in tenants
    ]
    found = ledger.decisions_named(names, as_of_us=this.as_of_us)
    return {item.tenant_id: item for item in sorted(found, key=lambda d: d.period_start_us)}


def check_forward(ledger: SqliteLedger, as_of_us: int) -> None:
    """Raise Refused if live decisions were made for a later time already."""
    last = ledger.last_run(Mode.LIVE)
    if last is not None and last.as_of_us > as_of_us:
        raise Refused(
            f"Live decisions were made as of {format_instant(last.as_of_us)} already; "
            f"{format_instant(as_of_us)} lies before it.",
            "Live decisions only go forward. Use --mode replay or what_if to look back.",
        )


def log_pass(
    ledger: SqliteLedger, done: Pass, *, finished_us: int, run: bool = True
) -> list[Decision]:
    """Log new decisions, moves within the period and the pass itself; the decisions in force.

    Where another process has logged a tenant's decision of the period meanwhile, that one counts.
    """
    decisions = done.decisions
    new = [decision for decision in decisions if not decision.continued]
    if new and ledger.append_decisions(new) < len(new):
        decisions = _as_logged(ledger, done)
    changes = _changes(done.round, decisions, done.previous)
    if changes:
        ledger.change_decisions(changes)
    if run:
        ledger.record_run(
            DecisionRun(
                as_of_us=done.round.as_of_us,
                finished_us=finished_us,
                mode=done.round.mode,
                tenants=len(decisions),
                duration_ms=done.duration_ms,
                policy=done.round.policy.name,
                bundle_version=done.round.model_version,
            )
        )
    return decisions


def _as_logged(ledger: SqliteLedger, done: Pass) -> list[Decision]:
    names = [decision.decision_id for decision in done.decisions if not decision.continued]
    logged = {
        decision.decision_id: decision
        for decision in ledger.decisions_named(names, as_of_us=done.round.as_of_us)
    }
    return [
        decision if decision.continued else logged.get(decision.decision_id, decision)
        for decision in done.decisions
    ]


def _changes(
    this: Round, decisions: Sequence[Decision], previous: Mapping[str, Decision]
) -> list[DecisionChange]:
    changes = []
    for decision in decisions:
        before = previous.get(decision.tenant_id)
        if not decision.continued or before is None:
            continue
        if before.served_arm == decision.served_arm and not _ended(decision, before):
            continue
        changes.append(
            DecisionChange(
                decision_id=decision.decision_id,
                tenant_id=decision.tenant_id,
                at_us=this.as_of_us,
                served_arm=decision.served_arm,
                cause=_cause(decision),
                reasons=decision.reasons,
            )
        )
    return changes


def _ended(decision: Decision, before: Decision) -> bool:
    """Whether what held the arm is over: unlogged, the ledger would go on saying that it holds."""
    return any(code in _ENDS and code not in before.reasons for code in decision.reasons)


def _cause(decision: Decision) -> ChangeCause:
    first = decision.reasons[0] if decision.reasons else ""
    if first in (Reason.KILL_SWITCH, Reason.KILL_SWITCH_ENDED):
        return ChangeCause.KILL
    return ChangeCause.OVERRIDE if first.startswith("override_") else ChangeCause.SAFETY
