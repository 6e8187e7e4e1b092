"""A node over a directory: the ladder, the kill file, what a changed version means for terms."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from flyball.instant import DAY_US, HOUR_US, SECOND_US
from flyball.limit import Limit, LimitKind, MeterLimit
from models.signature import create_keypair, load_private_key, load_public_key
from serving.node.metrics import NodeMetrics
from serving.node.node import Node
from serving.node.standing import State
from serving.snapshot.answer import FRESH_US, LAST_KNOWN_GOOD_US
from serving.snapshot.writer import SnapshotWriter
from tests.integration.service.running import entry

NOW = 1_767_571_200 * SECOND_US
ROOT = Path(__file__).resolve().parents[4]


class Home:
    def __init__(self, folder: Path) -> None:
        create_keypair(folder / "signing.pem", folder / "signing.pub")
        self.snapshot = folder / "snapshot"
        self.kill = folder / "kill"
        self.writer = SnapshotWriter(self.snapshot, load_private_key(folder / "signing.pem"))
        self.node = Node(self.snapshot, load_public_key(folder / "signing.pub"), kill=self.kill)

    def publish(self, arm: int, now_us: int = NOW, tenant: str = "ent_1") -> None:
        entries = [entry(tenant, arm, base=100)]
        self.writer.publish_changes(entries, created_us=now_us, as_of_us=now_us)
        self.node.refresh(now_us)

    def limit(self, now_us: int = NOW) -> int | None:
        terms, _ = self.node.terms("ent_1", now_us)
        return terms.limits[0].limit if terms.limits else None


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_before_anything_has_come_a_node_is_open(home: Home) -> None:
    home.node.refresh(NOW)
    standing = home.node.standing(NOW)
    assert (standing.state, standing.why) == (State.OPEN, "no_snapshot")
    assert home.limit() is None


def test_a_node_walks_down_the_ladder_to_open(home: Home) -> None:
    home.publish(85)
    states = [
        (home.node.standing(NOW + age).state, home.limit(NOW + age))
        for age in (0, HOUR_US, DAY_US + HOUR_US)
    ]
    assert states == [
        (State.FRESH, 85),
        (State.LAST_KNOWN_GOOD, 100),
        (State.OPEN, None),
    ]


def test_a_step_down_the_ladder_is_taken_to_the_microsecond(home: Home) -> None:
    home.publish(85)
    # Each look is within a quarter of a second of the one before, when nothing is looked up anew.
    for step_us, before, after in ((FRESH_US, 85, 100), (LAST_KNOWN_GOOD_US, 100, None)):
        edge_us = NOW + step_us
        limits = [home.limit(edge_us - 1), home.limit(edge_us), home.limit(edge_us + 1)]
        assert limits == [before, before, after]
    assert home.limit(NOW) == 85  # a clock that was put right


def test_the_kill_file_opens_and_closes(home: Home) -> None:
    home.publish(85)
    assert home.limit() == 85
    home.kill.touch()
    assert home.limit(NOW + SECOND_US) is None
    assert home.node.standing(NOW + SECOND_US).why == "kill_file"
    home.kill.unlink()
    assert home.limit(NOW + 2 * SECOND_US) == 85


def test_limits_hold_from_when_they_changed_not_from_every_version(home: Home) -> None:
    home.publish(85)
    before, _ = home.node.terms("ent_1", NOW)
    home.publish(100, NOW + SECOND_US, "ent_2")  # somebody else's change
    same, _ = home.node.terms("ent_1", NOW + 2 * SECOND_US)
    assert same.since_us == before.since_us == NOW
    home.publish(70, NOW + 3 * SECOND_US)
    changed, _ = home.node.terms("ent_1", NOW + 9 * SECOND_US)
    assert changed.since_us == NOW + 3 * SECOND_US


def test_a_name_nobody_knows_has_no_limits(home: Home) -> None:
    home.publish(85)
    terms, state = home.node.terms("who", NOW)
    assert (terms.limits, state) == ((), State.FRESH)


def test_every_limit_of_a_plan_is_enforced(home: Home) -> None:
    limits = (
        MeterLimit("api.requests", Limit(base=100, contract=70)),
        MeterLimit(
            "ai.tokens",
            Limit(base=1000, contract=700, per="month", kind=LimitKind.QUOTA, paid=True, soft=80),
        ),
        MeterLimit("workflows.concurrent", Limit(base=20, contract=10, kind=LimitKind.CONCURRENCY)),
    )
    full = replace(entry("ent_1", 85, base=100), limits=limits)
    home.writer.publish_all([full], aliases={}, created_us=NOW, as_of_us=NOW)
    home.node.refresh(NOW)
    terms, _ = home.node.terms("ent_1", NOW)
    assert [(limit.meter, limit.limit) for limit in terms.limits] == [
        ("api.requests", 85),
        ("ai.tokens", 850),
        ("workflows.concurrent", 17),
    ]
    assert terms.limits[1].paid


def test_the_reference_lists_the_metrics_of_a_node() -> None:
    registry = CollectorRegistry()
    NodeMetrics(registry)
    exposed = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in registry.collect()
    }
    text = (ROOT / "docs" / "reference" / "node.md").read_text()
    assert exposed == set(re.findall(r"^\| `(flyball_[a-z_]+)` \|", text, flags=re.MULTILINE))
