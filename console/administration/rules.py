"""The guardrails in force, read and changed; the words for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from flyball.errors import Conflict, InvalidInput, Refused
from flyball.guardrail_settings import DEFAULT_GUARDRAILS, GuardrailSettings, guardrails_from
from ledger.people import SettingVersion, check_said
from ledger.sqlite_ledger import SqliteLedger

#: The ledger's name for them (``serving.rules`` reads it each tick).
NAME = "guardrails"
#: Whose versions mark that the file's have been taken over; nobody may sign as it.
SEEDED_BY = "flyball.toml"

#: Setting, what people call it, and its unit; grouped as the page shows them.
GROUPS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    ("When a limit is never tightened", (
        ("spike_rule", "While demand is spiking", ""),
        ("incident_rule", "While an incident is open", ""),
        ("urgent_ticket_rule", "While an urgent ticket is open", ""),
        ("new_tenant_rule", "While the account is new", ""),
        ("new_tenant_days", "New means, at most", "days"),
        ("renewal_rule", "Before a term contract renews", ""),
        ("renewal_days", "From so long before on", "days"),
        ("upgrade_rule", "After an upgrade", ""),
        ("upgrade_days", "For so long", "days"),
        ("stale_feature_rule", "When the data are too old", ""),
        ("feature_max_age_hours", "Too old means older than", "hours"),
        ("unexplored_rule", "Where the model has seen too little", ""),
        ("explored_periods", "Too little means fewer than", "drawn periods"),
    )),
    ("How far and how many", (
        ("step_rule", "Move away from ×1 step by step", ""),
        ("step_hundredths", "Largest step between two periods", "hundredths"),
        ("friction_share", "Largest share of a segment under friction", "0 to 1"),
        ("harm_budget", "Churn that friction may be predicted to cause", "0 to 1"),
        ("harm_window_weeks", "Counted over", "weeks"),
        ("harm_caution", "Doubt that a chosen friction pays for", "standard deviations"),
    )),
    ("Overdraft budgets", (
        ("overdraft_total_share", "Extra requests of all accounts, as a share of demand", "0 to 1"),
        ("overdraft_total_requests", "Extra requests of all accounts in a period", "requests"),
        ("overdraft_total_minor", "What they may cost in a period", "minor units"),
        ("overdraft_tenant_requests", "Extra requests of one account in a period", "requests"),
        ("overdraft_tenant_periods", "Periods with more room for one account", "periods"),
        ("overdraft_window_periods", "Of the last", "periods"),
    )),
)  # fmt: skip
_OPTIONAL = {
    item.name for item in fields(GuardrailSettings)
    if "None" in str(item.type) and item.default is not MISSING
}  # fmt: skip
NAMES = tuple(name for _, group in GROUPS for name, _, _ in group)


@dataclass(frozen=True, slots=True)
class Rule:
    """One guardrail as the form shows it; ``text`` is its value as typed, empty: no bound."""

    name: str
    words: str
    unit: str
    text: str
    switch: bool
    on: bool
    optional: bool
    usual: str


def latest(ledger: SqliteLedger) -> SettingVersion | None:
    """The version in force; None before the service has started for the first time."""
    return ledger.setting(NAME)


def in_force(ledger: SqliteLedger) -> GuardrailSettings:
    """The settings in force; the defaults before the service has started."""
    found = latest(ledger)
    return DEFAULT_GUARDRAILS if found is None else guardrails_from(found.content)


def rules_of(
    settings: GuardrailSettings, typed: Mapping[str, str] | None = None
) -> list[tuple[str, list[Rule]]]:
    """The groups of the form: the settings' values, or what somebody has typed."""
    values = settings.as_mapping()
    return [
        (heading, [_rule(name, words, unit, values[name], typed) for name, words, unit in group])
        for heading, group in GROUPS
    ]


def _rule(name: str, words: str, unit: str, value: Any, typed: Mapping[str, str] | None) -> Rule:
    switch = isinstance(getattr(DEFAULT_GUARDRAILS, name), bool)
    text = _text(value) if typed is None else typed.get(name, "")
    on = bool(value) if typed is None else typed.get(name) == "1"
    usual = getattr(DEFAULT_GUARDRAILS, name)
    told = ("on" if usual else "off") if switch else (_text(usual) or "no bound")
    return Rule(name, words, unit, text, switch, on, name in _OPTIONAL, told)


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)


def change(
    ledger: SqliteLedger, typed: Mapping[str, str], *, seen: int, author: str, reason: str,
    now_us: int,
) -> int:  # fmt: skip
    """Put what was typed in force from the next round of decisions on; the new version's number.

    Raises
    ------
    InvalidInput
        A value is no number or out of range; ``field`` is the setting's name.
    Conflict
        Somebody has changed them since version ``seen`` was shown.
    Refused
        The service has not started yet, so the file's are in force whatever the ledger says.
    """
    reason = check_said(reason, field="reason")
    before = latest(ledger)
    if before is None or author == SEEDED_BY:
        raise Refused(
            "The guardrails of flyball.toml are in force until the service starts.",
            "Start flyball serve once, then change them here.",
        )
    if before.version != seen:
        raise Conflict(
            f"{before.author} has changed the guardrails meanwhile.", "Look at them again first."
        )
    kept = guardrails_from(before.content).as_mapping()
    wanted = guardrails_from(kept | {name: _value(name, typed.get(name, "")) for name in NAMES})
    put = ledger.put_setting(NAME, wanted.as_mapping(), author=author, now_us=now_us, reason=reason)
    return put.version


def _value(name: str, text: str) -> object:
    if isinstance(getattr(DEFAULT_GUARDRAILS, name), bool):
        return text == "1"
    if not text:
        if name in _OPTIONAL:
            return None
        raise InvalidInput("A number is needed here.", field=f"guardrails.{name}")
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise InvalidInput(
            f"{text[:24]!r} is not a number.", "Write it like 0.5 or 14.",
            field=f"guardrails.{name}",
        ) from None  # fmt: skip
