"""What gateways get: the documented JSON, the ladder of freshness, and the kill switch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flyball.instant import DAY_US, MINUTE_US, SECOND_US, format_instant
from serving.snapshot.answer import answer_json
from serving.snapshot.entry import Entry
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.writer import SnapshotWriter

MakeEntry = Callable[..., Entry]


def test_the_answer_is_the_documented_json(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int
) -> None:
    writer.publish_all([entry()], aliases={}, created_us=now_us, as_of_us=now_us)
    assert reader.refresh()
    assert reader.answer("ent_1", now_us).decode() == (
        '{"tenantId":"ent_1","baseLimit":10000,"dynamicMultiplier":0.85,"enforceFriction":true,'
        '"upsellProbability":0.92,"churnProbability":0.03,"effectiveLimit":8500,'
        '"windowSeconds":60,"limits":[{"meter":"api.requests","kind":"rate","baseLimit":10000,'
        '"effectiveLimit":8500,"windowSeconds":60}],"reasons":["upgrade_effect_outweighs_churn"],'
        '"decisionId":"d_00112233445566ff","modelVersion":"7","policy":"value","source":"fresh",'
        '"decidedAt":"2026-01-07T12:00:00Z","expiresAt":"2026-01-07T12:15:00Z"}'
    )


def test_an_alias_answers_the_tenants_own_id(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int
) -> None:
    entries = [entry("ent_1"), entry("ent_2")]
    writer.publish_all(
        entries, aliases={"key-a": "ent_2", "ent_1": "ent_2"}, created_us=now_us, as_of_us=now_us
    )
    reader.refresh()
    assert json.loads(reader.answer(b"key-a", now_us))["tenantId"] == "ent_2"
    # A tenant's own id wins over an alias of the same name.
    assert json.loads(reader.answer("ent_1", now_us))["tenantId"] == "ent_1"


@pytest.mark.parametrize("name", ["nobody", "", "x" * 10_000, 'a"b\\', "ent_1\x00", "é", "\ud800"])
def test_an_unknown_name_keeps_its_limit_and_is_valid_json(
    name: str, writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int
) -> None:
    writer.publish_all([entry()], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    answer = json.loads(reader.answer(name, now_us))
    assert answer["source"] == "unknown_tenant"
    assert answer["dynamicMultiplier"] == 1.0
    assert answer["enforceFriction"] is False
    assert answer["baseLimit"] is None
    assert answer["effectiveLimit"] is None
    assert reader.tenants == 1


def test_without_any_snapshot_everybody_is_unknown_and_nothing_fails(
    reader: SnapshotReader, now_us: int
) -> None:
    assert not reader.refresh()
    assert not reader.ready
    assert reader.etag == '"0"'
    assert json.loads(reader.answer("ent_1", now_us))["source"] == "unknown_tenant"


@pytest.mark.parametrize(
    ("age_us", "arm", "source", "multiplier"),
    [
        (15 * MINUTE_US, 70, "fresh", 0.7),
        (15 * MINUTE_US + 1, 70, "last_known_good", 1.0),
        (15 * MINUTE_US + 1, 130, "last_known_good", 1.3),
        (DAY_US, 130, "last_known_good", 1.3),
        (DAY_US + 1, 130, "plan_default", 1.0),
        (DAY_US + 1, 70, "plan_default", 1.0),
        (365 * DAY_US, 70, "plan_default", 1.0),
        # A clock that was set back is no reason to distrust the snapshot.
        (-DAY_US, 70, "fresh", 0.7),
    ],
)
def test_the_ladder_never_tightens_on_old_decisions(
    age_us: int,
    arm: int,
    source: str,
    multiplier: float,
    writer: SnapshotWriter,
    reader: SnapshotReader,
    entry: MakeEntry,
    now_us: int,
) -> None:
    writer.publish_all([entry(served_arm=arm)], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    answer = json.loads(reader.answer("ent_1", now_us + age_us))
    assert (answer["source"], answer["dynamicMultiplier"]) == (source, multiplier)
    assert answer["enforceFriction"] is (answer["effectiveLimit"] < answer["baseLimit"])
    if multiplier != arm / 100:
        # Probabilities are of the decided multiplier, so another one carries none.
        assert answer["upsellProbability"] is None
        assert answer["reasons"] == [source]


def test_a_rung_ends_to_the_microsecond_however_often_it_is_asked(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int
) -> None:
    writer.publish_all([entry()], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    fresh, good, plan = "fresh", "last_known_good", "plan_default"
    for age_us, source in (
        *((15 * MINUTE_US - 1, fresh), (15 * MINUTE_US, fresh), (15 * MINUTE_US + 1, good)),
        *((DAY_US, good), (DAY_US + 1, plan), (15 * MINUTE_US, fresh), (-1, fresh)),
    ):
        assert json.loads(reader.answer("ent_1", now_us + age_us))["source"] == source
        assert reader.rung(now_us + age_us).value == source


def test_a_heartbeat_keeps_the_snapshot_fresh(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int
) -> None:
    writer.publish_all([entry()], aliases={}, created_us=now_us, as_of_us=now_us)
    later = now_us + 20 * MINUTE_US
    writer.publish_changes([], created_us=later, as_of_us=later)
    reader.refresh()
    answer = json.loads(reader.answer("ent_1", later))
    assert answer["source"] == "fresh"
    assert answer["decidedAt"] == format_instant(now_us)
    assert answer["expiresAt"] == format_instant(later + 15 * MINUTE_US)


def test_an_answer_expires_with_its_period(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int
) -> None:
    ends = now_us + MINUTE_US
    writer.publish_all([entry(period_end_us=ends)], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    answer = json.loads(reader.answer("ent_1", now_us))
    assert answer["expiresAt"] == format_instant(ends)


def test_the_kill_switch_sets_every_arm_to_one_within_half_a_second(
    writer: SnapshotWriter,
    reader: SnapshotReader,
    entry: MakeEntry,
    now_us: int,
    tmp_path: Path,
) -> None:
    entries = [entry("low", served_arm=70), entry("high", served_arm=130)]
    writer.publish_all(entries, aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    assert json.loads(reader.answer("low", now_us))["dynamicMultiplier"] == 0.7
    (tmp_path / "kill").write_text("{}")
    later = now_us + SECOND_US // 2
    for name in ("low", "high"):
        answer = json.loads(reader.answer(name, later))
        assert answer["dynamicMultiplier"] == 1.0
        assert answer["effectiveLimit"] == answer["baseLimit"]
        assert answer["reasons"] == ["kill_switch"]
    (tmp_path / "kill").unlink()
    assert json.loads(reader.answer("high", later + SECOND_US))["dynamicMultiplier"] == 1.3


def test_a_tenant_without_plan_or_model_has_nulls(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int
) -> None:
    bare = entry(
        served_arm=100,
        base_limit=None,
        window_seconds=None,
        upgrade_probability=None,
        churn_probability=None,
        model_version="",
        reasons=(),
    )
    writer.publish_all([bare], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    answer = json.loads(reader.answer("ent_1", now_us))
    assert answer["effectiveLimit"] is None
    assert answer["modelVersion"] is None
    assert answer["upsellProbability"] is None
    assert answer["reasons"] == []


def test_an_imported_decision_keeps_its_own_id(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int
) -> None:
    named = entry(decision_id="2026-W02:ent_1")
    writer.publish_all([named], aliases={}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    assert json.loads(reader.answer("ent_1", now_us))["decisionId"] == "2026-W02:ent_1"
    assert json.loads(reader.answer("ent_1", now_us))["windowSeconds"] == 60
    version = writer.version
    writer.publish_changes([named], created_us=now_us, as_of_us=now_us)
    reader.refresh()
    assert version is not None
    assert reader.lookup("ent_1", now_us).decision_id == "2026-W02:ent_1"


def test_values_and_json_agree(
    writer: SnapshotWriter, reader: SnapshotReader, entry: MakeEntry, now_us: int
) -> None:
    entries = [entry("a"), entry("b", served_arm=115, upgrade_probability=None), entry("c")]
    writer.publish_all(entries, aliases={"k": "b"}, created_us=now_us, as_of_us=now_us)
    reader.refresh()
    for name in ("a", "b", "k", "nobody"):
        for at in (now_us, now_us + 16 * MINUTE_US, now_us + 2 * DAY_US):
            assert answer_json(reader.lookup(name, at)) == reader.answer(name, at)
    assert [json.loads(raw)["tenantId"] for raw in reader.answers(now_us)] == ["a", "b", "c"]
