"""Guardrail settings: every bound and rule of a decision, with its default."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, get_type_hints

from flyball.errors import InvalidInput
from flyball.spike import SpikeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailSettings:
    """Versioned in the ledger, seeded from ``flyball.toml``; see ``docs/reference/guardrails.md``.

    Parameters
    ----------
    step_rule, step_hundredths:
        Largest move away from 100 between two periods (1..1000 hundredths).
    spike_rule, incident_rule, urgent_ticket_rule:
        No friction while one is going on.
    new_tenant_rule, new_tenant_days:
        No friction in the first days of an account.
    renewal_rule, renewal_days:
        No friction this close to a term contract's renewal.
    upgrade_rule, upgrade_days:
        m = 1 for the first days after an upgrade.
    stale_feature_rule, feature_max_age_hours:
        No friction on features older than this, or without any.
    unexplored_rule, explored_periods:
        A policy that follows a model stays at 100 under limits that the model's training window
        held fewer drawn periods of (1..100000); exploration goes on.
    friction_share, friction_share_by_segment:
        Largest share of a segment's tenants that may be under friction at once (0..1), rounded
        down to whole tenants.
    overdraft_tenant_periods, overdraft_window_periods:
        A tenant may be above 100 in at most so many of the last so many periods (this one
        included). None: no bound.
    overdraft_tenant_requests:
        Expected extra requests of one tenant in one period. None: no bound.
    overdraft_total_requests, overdraft_total_minor:
        Expected extra requests of all tenants in one period, and what they cost. None: no bound.
    overdraft_total_share:
        Expected extra requests of all tenants as a share of their expected demand. None: no bound.
    harm_budget, harm_window_weeks:
        Largest churn that friction may be predicted to cause within the window, as a share of the
        tenants that came under friction in it (0..1). None: no bound.
    harm_caution:
        Standard deviations of a prediction that are added to it, before it is held against the
        budget, where the policy chooses friction (0..10). 0: the prediction alone.
    spike:
        When demand counts as a spike.
    """

    step_rule: bool = True
    step_hundredths: int = 15
    spike_rule: bool = True
    incident_rule: bool = True
    urgent_ticket_rule: bool = True
    new_tenant_rule: bool = True
    new_tenant_days: int = 30
    renewal_rule: bool = True
    renewal_days: int = 60
    upgrade_rule: bool = True
    upgrade_days: int = 28
    stale_feature_rule: bool = True
    feature_max_age_hours: int = 48
    unexplored_rule: bool = True
    explored_periods: int = 20
    friction_share: float = 0.5
    friction_share_by_segment: Mapping[str, float] = field(default_factory=dict)
    overdraft_tenant_periods: int | None = 6
    overdraft_window_periods: int = 13
    overdraft_tenant_requests: float | None = None
    overdraft_total_requests: float | None = None
    overdraft_total_minor: float | None = None
    overdraft_total_share: float | None = 0.10
    harm_budget: float | None = 0.012
    harm_window_weeks: int = 26
    harm_caution: float = 1.0
    spike: SpikeSettings = field(default_factory=SpikeSettings)

    def __post_init__(self) -> None:
        for name in ("new_tenant_days", "renewal_days", "upgrade_days"):
            _within(name, getattr(self, name), 0, 3660)
        _within("step_hundredths", self.step_hundredths, 1, 1000)
        _within("feature_max_age_hours", self.feature_max_age_hours, 1, 24 * 366)
        _within("overdraft_window_periods", self.overdraft_window_periods, 1, 520)
        _within("explored_periods", self.explored_periods, 1, 100_000)
        _within("friction_share", self.friction_share, 0.0, 1.0)
        _within("harm_window_weeks", self.harm_window_weeks, 1, 520)
        _within("harm_caution", self.harm_caution, 0.0, 10.0)
        if self.harm_budget is not None:
            _within("harm_budget", self.harm_budget, 0.0, 1.0)
        for segment, share in self.friction_share_by_segment.items():
            _within(f"friction_share_by_segment.{segment}", share, 0.0, 1.0)
        for name in (
            "overdraft_tenant_periods",
            "overdraft_tenant_requests",
            "overdraft_total_requests",
            "overdraft_total_minor",
            "overdraft_total_share",
        ):
            value = getattr(self, name)
            if value is not None:
                _within(name, value, 0, 1e18)

    def share_of(self, segment: str) -> float:
        """Largest share of ``segment`` under friction."""
        return self.friction_share_by_segment.get(segment, self.friction_share)

    def as_mapping(self) -> dict[str, Any]:
        """Plain values that :func:`guardrails_from` reads back (for the ledger's JSON)."""
        values = asdict(self)
        values["friction_share_by_segment"] = dict(sorted(self.friction_share_by_segment.items()))
        return values


def guardrails_from(entry: object) -> GuardrailSettings:
    """Read settings from a mapping (a TOML table or JSON object); what is absent is the default.

    A TOML file has no null: the text ``"none"`` switches a budget off.

    Raises
    ------
    InvalidInput
        An unknown key (with the nearest known one), a wrong type, or a value out of range.
    """
    values = _typed(GuardrailSettings, entry, where="guardrails")
    if "spike" in values:
        values["spike"] = SpikeSettings(
            **_typed(SpikeSettings, values["spike"], where="guardrails.spike")
        )
    return GuardrailSettings(**values)


def _typed(kind: type[Any], entry: object, *, where: str) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise InvalidInput(f"{where} must be a table of settings.", field=where)
    hints = get_type_hints(kind)
    known = [item.name for item in fields(kind)]
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if key not in known:
            near = get_close_matches(str(key), known, n=1, cutoff=0.0)
            raise InvalidInput(
                f"{where} has no setting {str(key)[:64]!r}.",
                f"The nearest one is {near[0]}." if near else "",
                field=f"{where}.{key}",
                code="unknown_setting",
            )
        values[key] = _value(hints[key], value, where=f"{where}.{key}")
    return values


def _value(hint: Any, value: object, *, where: str) -> object:
    text = str(hint)
    if value is None or value == "none":
        if "None" in text:
            return None
        raise InvalidInput(f"{where} cannot be switched off this way.", field=where)
    if hint is bool:
        return _as(bool, value, where)
    if text.startswith(("<class 'int'", "int")):
        return _as(int, value, where)
    if text.startswith(("<class 'float'", "float")):
        return _as(float, value, where)
    if "Mapping" in text:
        if not isinstance(value, Mapping):
            raise InvalidInput(f"{where} must be a table.", field=where)
        return {str(k): _as(float, v, f"{where}.{k}") for k, v in value.items()}
    return value


def _as(kind: type, value: object, where: str) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is float and is_number:
        return float(value)  # type: ignore[arg-type]
    if kind is int and is_number and float(value).is_integer():  # type: ignore[arg-type]
        return int(value)  # type: ignore[call-overload]
    names = {bool: "true or false", int: "a whole number", float: "a number"}
    raise InvalidInput(f"{where} must be {names[kind]}, not {value!r}.", field=where)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidInput(
            f"guardrails.{name} {value} must lie in {low}..{high}.", field=f"guardrails.{name}"
        )


DEFAULT_GUARDRAILS = GuardrailSettings()
