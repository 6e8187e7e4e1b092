"""The comparison of two models: right figures, honest intervals, and silence where it must be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from commands.shadow_table import print_comparison
from ledger.shadow import MaturedShadow, Said, ShadowCost, ShadowDecision
from serving.shadow.comparison import LEAST_EVENTS, compare


def row(
    number: int,
    became: str | None,
    *,
    organisation: str = "",
    arms: tuple[int, int] = (100, 100),
    churn: tuple[float, float] = (0.1, 0.1),
    worth: tuple[float, float] | None = None,
) -> MaturedShadow:
    own, others = (None, None) if worth is None else worth
    decision = ShadowDecision(
        decision_id=f"d_{number}", tenant_id=f"t{number}",
        organisation=organisation or f"o{number}", segment="smb", at_us=0, period_start_us=0,
        period_days=7, policy="value", policy_version="1", served_arm=100,
        champion=Said(
            version="b1", arm=arms[0], reason="", churn=churn[0], advantage_minor=own,
            others_minor=others,
        ),
        challenger=Said(
            version="b2", arm=arms[1], reason="", churn=churn[1], advantage_minor=others,
            others_minor=own,
        ),
    )  # fmt: skip
    return decision, became


def test_nothing_logged_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    found = compare([], "b2")
    assert (found.decisions, found.sufficient, found.agreement) == (0, False, None)
    print_comparison(found)
    assert "Insufficient evidence" in capsys.readouterr().out


def test_arms_shares_and_values_are_what_was_logged() -> None:
    rows = [row(n, None, arms=(85, 100), worth=(10.0, 2.0)) for n in range(20)]
    rows += [row(n, None, arms=(100, 115), worth=(0.0, 4.0)) for n in range(20, 40)]
    rows += [row(n, None) for n in range(40, 80)]
    found = compare(rows, "b2", ShadowCost(tenants=80, duration_ms=40.0, scoring_ms=8.0))
    assert found.agreement is not None
    assert found.agreement.value == 0.5
    assert found.shares["friction"][:2] == (0.25, 0.0)
    assert found.shares["overdraft"][:2] == (0.0, 0.25)
    assert found.values["championByItself"].value == 5.0
    assert found.values["challengersArmsByChampion"].value == 3.0
    assert found.values["differenceByChampion"].value == -2.0
    plain = found.plain()
    assert plain["cost"]["millisecondsEach"] == 0.5
    assert plain["maturedDecisions"] == 0


def test_the_interval_is_that_of_a_mean_where_every_tenant_is_its_own_organisation() -> None:
    rng = np.random.default_rng(5)
    differences = rng.normal(0.01, 0.02, 400)
    rows = [row(n, None, churn=(0.2, 0.2 + d)) for n, d in enumerate(differences.tolist())]
    (found,) = compare(rows, "b2").probabilities
    error = float(differences.std(ddof=1)) / math.sqrt(400)
    assert found.difference.low is not None
    assert found.difference.low == pytest.approx(differences.mean() - 1.96 * error, rel=1e-3)
    assert found.quantiles == pytest.approx(np.quantile(differences, (0.05, 0.5, 0.95)))


def test_tenants_that_go_together_count_as_one() -> None:
    rng = np.random.default_rng(6)
    by_organisation = rng.normal(0.0, 0.02, 40)
    alone = [row(n, None, churn=(0.2, 0.2 + d)) for n, d in enumerate(by_organisation.tolist())]
    together = [
        row(n * 10 + k, None, organisation=f"o{n}", churn=(0.2, 0.2 + d))
        for n, d in enumerate(by_organisation.tolist())
        for k in range(10)
    ]
    one, ten = compare(alone, "b2").probabilities[0], compare(together, "b2").probabilities[0]
    assert ten.difference.low == pytest.approx(one.difference.low)
    assert ten.difference.high == pytest.approx(one.difference.high)


def test_few_organisations_give_figures_without_intervals(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [row(n, None, organisation=f"o{n % 29}") for n in range(500)]
    found = compare(rows, "b2")
    assert found.agreement is not None
    assert (found.agreement.value, found.agreement.low) == (1.0, None)
    assert not found.sufficient
    print_comparison(found)
    assert "Insufficient evidence for intervals" in capsys.readouterr().out


def test_calibration_tells_the_better_model_once_there_are_events() -> None:
    rng = np.random.default_rng(7)
    left = rng.random(3000) < 0.05
    rows = [
        row(n, "churned" if gone else "", churn=(0.15, 0.05))
        for n, gone in enumerate(left.tolist())
    ]
    rows += [row(n, None, churn=(0.15, 0.05)) for n in range(3000, 3100)]
    (found,) = compare(rows, "b2").calibration
    assert (found.periods, found.events) == (3000, int(left.sum()))
    assert found.sufficient
    assert found.champion.value == pytest.approx(0.15 - left.mean())
    assert found.challenger.low is not None
    assert found.challenger.high is not None
    assert found.challenger.low < 0 < found.challenger.high
    assert found.log_loss.high is not None
    assert found.log_loss.high < 0


def test_few_events_say_insufficient_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row(n, "churned" if n < LEAST_EVENTS - 1 else "") for n in range(200)]
    found = compare(rows, "b2")
    assert not found.calibration[0].sufficient
    print_comparison(found)
    assert "insufficient evidence (30 events needed)" in " ".join(capsys.readouterr().out.split())
