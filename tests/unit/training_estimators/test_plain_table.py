"""Any table of logged draws can be analysed; what it lacks is said with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from commands.effects import command
from flyball.errors import InvalidInput
from training.analysis.analysis import analyse
from training.analysis.plain_table import plain_table, read_table
from training.analysis.report import markdown, page
from training.analysis.spec import read_spec, spec_of
from training.estimators.table import EffectTable

Make = Callable[..., EffectTable]

SPEC: dict[str, Any] = {
    "arm": "arm",
    "neutral": "100",
    "outcomes": {"upgrade": "upgrade", "churn": "churn"},
    "features": ["growth"],
    "cluster": "organisation",
    "segment": "segment",
    "propensities": {arm: f"p_{arm}" for arm in ("70", "85", "100", "115", "130")},
    "dose": {arm: f"dose_{arm}" for arm in ("70", "85", "100", "115", "130")},
    "worth": {"upgrade": 1.0, "churn": -1.0},
}


def _frame(table: EffectTable) -> pd.DataFrame:
    arms = {
        f"{kind}_{arm}": values[:, a]
        for a, arm in enumerate(table.arms)
        for kind, values in (("p", table.offered), ("dose", table.subjects.dose))
    }
    return pd.DataFrame(
        {
            "arm": [int(table.arms[a]) for a in table.arm],
            "organisation": table.cluster,
            "segment": [table.segments[s] for s in table.subjects.segment],
            "growth": table.subjects.x[:, 0],
            "upgrade": table.outcomes[:, 0],
            "churn": table.outcomes[:, 1],
            **arms,
        }
    )


def test_a_plain_table_is_the_same_experiment(make: Make) -> None:
    table = make(21, tenants=60)
    plain = plain_table(_frame(table), spec_of(SPEC)).table
    # Arms are sorted as numbers, not as text.
    assert plain.arms == table.arms
    assert (plain.arm == table.arm).all()
    assert plain.residual == pytest.approx(table.residual)
    assert plain.subjects.segment.tolist() == table.subjects.segment.tolist()


def test_the_report_names_overlap_effects_trust_and_policies(make: Make) -> None:
    analysis = analyse(plain_table(_frame(make(22, tenants=250, upgrade=0.6)), spec_of(SPEC)))
    assert "better than static" in analysis.verdict
    text, html = markdown(analysis, "A <b>trial</b>"), page(analysis, "A <b>trial</b>")
    for heading in ("Overlap", "Arms", "Effects per unit of dose", "Policies", "Limits"):
        assert f"## {heading}" in text
        assert f"<h2>{heading}</h2>" in html
    assert "pooled 0.0" in text
    assert "<b>trial" not in html


def test_without_any_effect_the_verdict_is_static(make: Make) -> None:
    analysis = analyse(plain_table(_frame(make(23, tenants=200)), spec_of(SPEC)))
    assert "stay static" in analysis.verdict
    assert analysis.trusted[3] == 0.0


def test_rows_without_an_outcome_are_counted(make: Make) -> None:
    frame = _frame(make(21, tenants=60))
    frame.loc[:9, "upgrade"] = np.nan
    plain = plain_table(frame, spec_of(SPEC))
    assert plain.dropped == {"upgrade is missing": 10}
    assert len(plain.table) == len(frame) - 10


def test_strata_stand_for_propensities(make: Make) -> None:
    frame = _frame(make(21, tenants=60))
    given = {k: v for k, v in SPEC.items() if k != "propensities"} | {"strata": ["segment"]}
    table = plain_table(frame, spec_of(given)).table
    first = table.subjects.segment == 0
    shares = np.bincount(table.arm[first], minlength=5) / first.sum()
    assert table.offered[first][0] == pytest.approx(shares)


def test_money_is_one_pooled_outcome(make: Make) -> None:
    frame = _frame(make(24, tenants=200))
    frame["earned"] = 10.0 * frame["growth"] + 100.0 * frame["upgrade"]
    given = {k: v for k, v in SPEC.items() if k != "worth"} | {"money": "earned"}
    analysis = analyse(plain_table(frame, spec_of(given)))
    assert analysis.table.names[-1] == "money"
    assert "p_segment_money" not in analysis.fitted.evidence


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"neutral": "99"}, "neutral"),
        ({"outcomes": {"x": "nothing"}}, "nothing"),
        ({"propensities": {}}, "one way"),
        ({"dose": {"70": 0.3}}, "dose of arm"),
        ({"surprise": 1}, "surprise"),
        ({"features": "growth"}, "list"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong(make: Make, change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        plain_table(_frame(make(21, tenants=20)), spec_of(SPEC | change))


def test_the_command_writes_a_report(make: Make, tmp_path: Path) -> None:
    table, spec = tmp_path / "trial.csv", tmp_path / "spec.toml"
    frame = _frame(make(25, tenants=60))
    frame["p"] = 0.2
    frame.to_csv(table, index=False)
    spec.write_text(
        'arm = "arm"\nneutral = "100"\nstrata = ["segment"]\n[outcomes]\nchurn = "churn"\n'
    )
    assert len(read_table(table, read_spec(spec)).table) == len(frame)
    done = CliRunner().invoke(command, [str(table), "--spec", str(spec), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert "no policy is valued" in (tmp_path / "report.md").read_text()
