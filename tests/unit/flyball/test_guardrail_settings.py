"""Guardrail settings: defaults, round trip, refusals."""

from __future__ import annotations

import pytest

from flyball.errors import InvalidInput
from flyball.guardrail_settings import DEFAULT_GUARDRAILS, GuardrailSettings, guardrails_from


def test_the_defaults_are_those_of_the_design() -> None:
    found = guardrails_from({})
    assert found == DEFAULT_GUARDRAILS == GuardrailSettings()
    assert found.step_hundredths == 15
    assert (found.new_tenant_days, found.renewal_days, found.upgrade_days) == (30, 60, 28)
    rules = [name for name in GuardrailSettings.__dataclass_fields__ if name.endswith("_rule")]
    assert len(rules) == 9
    assert all(getattr(found, rule) is True for rule in rules)


def test_settings_survive_the_ledger() -> None:
    settings = guardrails_from(
        {
            "spike_rule": False,
            "friction_share_by_segment": {"smb": 0.2, "large": 0},
            "overdraft_tenant_periods": "none",
            "overdraft_total_minor": 5_000,
            "spike": {"hour_ratio": 4},
        }
    )
    assert settings.overdraft_tenant_periods is None
    assert settings.overdraft_total_minor == 5_000.0
    assert settings.spike.hour_ratio == 4.0
    assert settings.share_of("smb") == 0.2
    assert settings.share_of("other") == 0.5
    assert guardrails_from(settings.as_mapping()) == settings


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([], "must be a table"),
        ({"spike_rul": False}, "The nearest one is spike_rule"),
        ({"spike": {"hour_rato": 2}}, "The nearest one is hour_ratio"),
        ({"spike": 3}, "must be a table"),
        ({"spike": {"day_ratio": 1.0}}, "above 1"),
        ({"spike": {"day_ratio": float("nan")}}, "above 1"),
        ({"spike_rule": 1}, "true or false"),
        ({"step_hundredths": 0}, "1..1000"),
        ({"step_hundredths": 1.5}, "whole number"),
        ({"step_hundredths": True}, "whole number"),
        ({"step_hundredths": "none"}, "cannot be switched off"),
        ({"friction_share": 1.1}, "0.0..1.0"),
        ({"friction_share": float("nan")}, "0.0..1.0"),
        ({"friction_share": "half"}, "a number"),
        ({"friction_share_by_segment": {"smb": 2}}, "friction_share_by_segment.smb"),
        ({"friction_share_by_segment": 2}, "must be a table"),
        ({"overdraft_total_share": -0.1}, "0..1e"),
        ({"new_tenant_days": -1}, "0..3660"),
        ({"new_tenant_days": float("inf")}, "whole number"),
    ],
)
def test_a_wrong_setting_says_what_is_right(entry: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        guardrails_from(entry)
