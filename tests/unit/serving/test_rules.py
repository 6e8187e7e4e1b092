"""Which rules are in force: the file seeds, people override, and nothing runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.decision import Mode
from flyball.instant import DAY_US, parse_instant
from ledger.sqlite_ledger import SqliteLedger
from serving.rules import guardrails_in_force, read_rules, seed_guardrails
from serving.settings import Settings, settings_from

NOW_US = parse_instant("2026-01-07T12:00:00Z")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    with SqliteLedger(tmp_path / "ledger.sqlite") as made:
        yield made


def test_the_file_seeds_the_ledger_once(ledger: SqliteLedger) -> None:
    settings = settings_from({"guardrails": {"new_tenant_days": 14}})
    assert seed_guardrails(ledger, settings, NOW_US)
    assert not seed_guardrails(ledger, settings, NOW_US + 1)
    assert guardrails_in_force(ledger, settings).new_tenant_days == 14
    assert len(ledger.setting_versions("guardrails")) == 1


def test_what_people_set_stays_until_the_file_is_edited(ledger: SqliteLedger) -> None:
    settings = Settings()
    seed_guardrails(ledger, settings, NOW_US)
    changed = settings.guardrails.as_mapping() | {"renewal_days": 90}
    ledger.put_setting("guardrails", changed, author="kim", reason="quarter end", now_us=NOW_US)
    assert not seed_guardrails(ledger, settings, NOW_US)
    assert guardrails_in_force(ledger, settings).renewal_days == 90
    edited = settings_from({"guardrails": {"renewal_days": 30}})
    # An edited file counts at once, also before anybody has written it into the ledger.
    assert guardrails_in_force(ledger, edited).renewal_days == 30
    assert seed_guardrails(ledger, edited, NOW_US)
    assert guardrails_in_force(ledger, edited).renewal_days == 30
    authors = [version.author for version in ledger.setting_versions("guardrails")]
    assert authors == ["flyball.toml", "kim", "flyball.toml"]


def test_without_champion_or_experiment_the_policy_is_static(ledger: SqliteLedger) -> None:
    rules = read_rules(ledger, Settings(), as_of_us=NOW_US, bundle=None)
    assert rules.policy.name == "static"
    assert rules.experiment is None


def test_an_experiment_counts_from_its_start(ledger: SqliteLedger) -> None:
    ledger.start_experiment(
        "trial", epsilon=0.05, holdout_share=0.1, author="kim", reason="why", now_us=NOW_US
    )
    before = read_rules(ledger, Settings(), as_of_us=NOW_US - 1, bundle=None)
    after = read_rules(ledger, Settings(), as_of_us=NOW_US, bundle=None)
    assert before.experiment is None
    assert after.experiment is not None


def test_replays_of_other_rules_have_other_names(ledger: SqliteLedger) -> None:
    def salt(settings: Settings, mode: Mode) -> str:
        rules = read_rules(ledger, settings, as_of_us=NOW_US, bundle=None)
        return rules.round(as_of_us=NOW_US + DAY_US, mode=mode, bundle=None).salt

    strict = settings_from({"guardrails": {"spike_rule": False}})
    assert salt(Settings(), Mode.REPLAY) == salt(Settings(), Mode.REPLAY)
    assert salt(Settings(), Mode.REPLAY) != salt(strict, Mode.REPLAY)
    assert salt(strict, Mode.LIVE) == ""
