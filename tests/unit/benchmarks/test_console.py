"""What the console's benchmark puts in, asks for and counts."""

from __future__ import annotations

import math
import random
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest

from benchmarks.console import Visits, pages, percentile
from benchmarks.console_home import WEEKS, name, past_decisions
from console.book.state import state_of
from flyball.decision import Assignment
from flyball.instant import DAY_US

NOW_US = 1_767_571_200_000_000


@pytest.mark.parametrize(
    ("share", "expected"), [(0.95, 19.0), (0.5, 10.0), (1.0, 20.0), (0.0, 1.0)]
)
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    values = [float(value) for value in range(20, 0, -1)]
    assert percentile(values, share) == expected


def test_a_kind_of_page_that_nobody_opened_meets_no_goal() -> None:
    visits = Visits()
    visits.seconds["list"].append(0.1)
    assert visits.p95_ms("list") == 100.0
    assert math.isnan(visits.p95_ms("portfolio"))


def test_every_address_of_the_list_is_one_that_the_console_makes_itself() -> None:
    rng = random.Random(1)
    kinds = pages(500)
    assert set(kinds) == {"list", "search", "account page", "portfolio"}
    for kind in ("list", "search"):
        for _ in range(60):
            path, _text = kinds[kind](rng)
            asked = urlsplit(path)
            query = {key: values[0] for key, values in parse_qs(asked.query).items()}
            assert parse_qs(urlsplit(state_of(query).link).query) == parse_qs(asked.query)


def test_an_account_is_sought_by_a_name_of_its_own() -> None:
    assert len({name(number) for number in range(2_000)}) == 2_000


def test_the_past_is_one_ended_decision_a_week_with_a_tenth_held_out() -> None:
    decisions = list(past_decisions(50, NOW_US))
    assert len({decision.decision_id for decision in decisions}) == 50 * WEEKS
    assert all(decision.period_end_us <= NOW_US for decision in decisions)
    assert min(d.period_start_us for d in decisions) == NOW_US - WEEKS * 7 * DAY_US
    held = [d for d in decisions if d.assignment is Assignment.HOLDOUT]
    assert set(Counter(d.tenant_id for d in held).values()) == {WEEKS}
    assert (len(held), {d.served_arm for d in held}) == (5 * WEEKS, {100})
