"""Taking back a champion that does harm: decisions to 1 first, then the alias, and a loud word."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from flyball.errors import FlyballError
from flyball.home import Home
from ledger.acted_periods import acted_periods
from ledger.kill import engage_kill
from ledger.notice import NoticeKind, Severity
from ledger.sqlite_ledger import SqliteLedger, open_ledger, read_ledger
from models.current import read_current, unpublish
from training.live_harm import HarmLook, look_for_harm
from training.publisher import publish_champion
from training.registry import CHAMPION, RegisteredVersion, Registry
from training.tracking import store_of

AUTHOR = "flyball watch"
ACTION = "model.withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """What was taken back, and what is champion now (None: nothing; decisions are static)."""

    look: HarmLook
    withdrawn: RegisteredVersion | None
    champion: RegisteredVersion | None

    def sentence(self) -> str:
        """For logs and people."""
        gone = "no version" if self.withdrawn is None else f"version {self.withdrawn.version}"
        now = "none" if self.champion is None else f"version {self.champion.version}"
        return (
            f"harm found: {self.look.sentence()}. Every multiplier is 1; {gone} was withdrawn, "
            f"champion is {now}. Look into it, then `flyball kill off`."
        )


def guard(
    home: Home, feature_hash: str, *, now_us: int, churn_cap: float | None = None
) -> HarmLook | Withdrawal:
    """Look once, and withdraw the champion if harm is evident.

    Decisions are at 1 within a second of it, whatever the registry does: the kill switch comes
    first and is left on for a person to release. Evidence counts anew after a withdrawal, so a
    released switch does not fall again for the old harm.
    """
    if not home.ledger.exists():
        return look_for_harm((), churn_cap=churn_cap)
    with read_ledger(home) as ledger:
        periods = acted_periods(ledger, since_us=_since_us(ledger), now_us=now_us)
    tried = _tried(home)
    # Each model answers for its own periods, so that a canary's harm does not cost the champion.
    found = look_for_harm(
        [each for each in periods if not tried or each.model_version != tried],
        churn_cap=churn_cap,
    )
    if not found.harmful:
        theirs = look_for_harm(
            [each for each in periods if tried and each.model_version == tried],
            churn_cap=churn_cap,
        )
        return _end_trial(home, theirs, tried, feature_hash, now_us) if theirs.harmful else found
    why = found.sentence()
    engaged = engage_kill(home, author=AUTHOR, reason=f"harm: {why}", now_us=now_us)
    registry = Registry(store_of(home))
    withdrawn = registry.holder(CHAMPION)
    # Before the registry moves: told twice, the same evidence would take the successor too.
    bundle = "" if withdrawn is None else withdrawn.bundle
    with open_ledger(home) as ledger:
        _record(ledger, NoticeKind.MODEL_WITHDRAWN, why, bundle, engaged=engaged, now_us=now_us)
    champion = _move_back(home, registry, withdrawn, why, feature_hash)
    done = Withdrawal(look=found, withdrawn=withdrawn, champion=champion)
    logging.getLogger("flyball.watch").error(done.sentence())
    return done


def _tried(home: Home) -> str:
    """The challenger in place; one that cannot be read decides for nobody."""
    try:
        trial = read_current(home.challenger)
    except FlyballError:
        return ""
    return "" if trial is None else trial.version


def _since_us(ledger: SqliteLedger) -> int:
    """When the last withdrawal happened; what came before it has been answered."""
    acts = (each.at_us for each in ledger.audit(limit=100_000) if each.action == ACTION)
    return max(acts, default=0)


def _end_trial(
    home: Home, found: HarmLook, bundle: str, feature_hash: str, now_us: int
) -> Withdrawal:
    """Take the challenger away from the organisations it decides for; the champion stays."""
    why = found.sentence()
    engaged = engage_kill(home, author=AUTHOR, reason=f"harm: {why}", now_us=now_us)
    with open_ledger(home) as ledger:
        _record(ledger, NoticeKind.CANARY_WITHDRAWN, why, bundle, engaged=engaged, now_us=now_us)
    unpublish(home.challenger)
    registry = Registry(store_of(home))
    withdrawn = next((each for each in registry.versions() if each.bundle == bundle), None)
    if withdrawn is not None:
        registry.withdraw(withdrawn.version, why, feature_hash)
    done = Withdrawal(look=found, withdrawn=withdrawn, champion=registry.holder(CHAMPION))
    logging.getLogger("flyball.watch").error(done.sentence())
    return done


def _record(
    ledger: SqliteLedger,
    kind: NoticeKind,
    why: str,
    bundle: str,
    *,
    engaged: bool,
    now_us: int,
) -> None:
    if engaged:
        ledger.record_kill(engaged=True, author=AUTHOR, reason=f"harm: {why}", now_us=now_us)
    ledger.raise_notice(
        kind,
        Severity.CRITICAL,
        subject=bundle or "home",
        message=f"Harm was found: {why}. Every multiplier is 1, and "
        f"{bundle or 'no champion'} was withdrawn. Look into it, then `flyball kill off`.",
        author=AUTHOR,
        now_us=now_us,
    )
    ledger.append_audit(
        now_us=now_us,
        author=AUTHOR,
        action=ACTION,
        target=bundle or "home",
        reason=why,
        before=bundle,
    )


def _move_back(
    home: Home,
    registry: Registry,
    holder: RegisteredVersion | None,
    why: str,
    feature_hash: str,
) -> RegisteredVersion | None:
    champion = None if holder is None else registry.withdraw(holder.version, why, feature_hash)
    # Gone before its successor is there: what does harm must not come back with the switch off.
    unpublish(home.bundles)
    if champion is not None:
        try:
            publish_champion(home, feature_hash)
        except FlyballError as error:
            logging.getLogger("flyball.watch").error("not published: %s", error)
    return champion
