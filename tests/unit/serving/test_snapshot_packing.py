"""What becomes of entries that share a batch: each its own record, the last of a tenant's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.decision import Source
from flyball.errors import InvalidInput
from flyball.instant import DAY_US
from serving.snapshot.entry import Entry
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.writer import SnapshotWriter

NOW = 1_767_571_200_000_000


def an_entry(number: int, **changes: object) -> Entry:
    made = Entry(
        tenant_id=f"ent_{number}",
        decision_id=f"d_{number:016x}",
        served_arm=85,
        base_limit=1_000 + number,
        window_seconds=60,
        upgrade_probability=0.25,
        churn_probability=None,
        reasons=("no_arm_pays",),
        model_version="v1",
        policy="value",
        decided_us=NOW - number,
        period_end_us=NOW + DAY_US,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def writer(tmp_path: Path, key: Ed25519PrivateKey) -> SnapshotWriter:
    return SnapshotWriter(tmp_path, key)


def publish(writer: SnapshotWriter, *entries: Entry, whole: bool = False) -> None:
    if whole:
        writer.publish_all(entries, aliases={}, created_us=NOW, as_of_us=NOW)
    else:
        writer.publish_changes(entries, created_us=NOW, as_of_us=NOW)


def test_odd_entries_of_a_batch_do_not_touch_their_neighbours(
    writer: SnapshotWriter, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    entries = [
        an_entry(1),
        # Together these two are as long as two ids of ours, and spell them.
        an_entry(2, decision_id="d_000000000000000"),
        an_entry(3, decision_id="0d_0000000000000003"),
        an_entry(4, decision_id="d_00000000000000AF"),
        an_entry(5, base_limit=2**32 + 7),
        an_entry(6, base_limit=None, window_seconds=None),
        an_entry(7, upgrade_probability=None, churn_probability=1.0, reasons=("spike",)),
        an_entry(8, decision_id=""),
        an_entry(9, decision_id="d_ffffffffffffffff"),
    ]
    publish(writer, *entries, whole=True)
    reader = SnapshotReader(tmp_path, key.public_key())
    assert reader.refresh()
    for entry in entries:
        answer = reader.lookup(entry.tenant_id, NOW)
        assert answer.decision_id == entry.decision_id
        assert answer.base_limit == entry.base_limit
        assert answer.upgrade_probability == entry.upgrade_probability
        assert answer.churn_probability == entry.churn_probability
        assert answer.reasons == entry.reasons
        assert answer.decided_us == entry.decided_us


def test_a_tenant_named_twice_counts_with_its_last_entry(
    writer: SnapshotWriter, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    publish(writer, *(an_entry(number) for number in range(100)), whole=True)
    reader = SnapshotReader(tmp_path, key.public_key())
    reader.refresh()
    late = an_entry(500, served_arm=100)
    publish(writer, an_entry(1, served_arm=70), an_entry(1), late, replace(late, served_arm=70))
    assert reader.refresh()
    assert reader.lookup("ent_1", NOW).arm == 85
    assert reader.lookup("ent_500", NOW).arm == 70
    assert reader.changed_since(reader.version) == frozenset()  # type: ignore[arg-type]


def test_only_what_changed_is_sent(
    writer: SnapshotWriter, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    publish(writer, *(an_entry(number) for number in range(100)), whole=True)
    reader = SnapshotReader(tmp_path, key.public_key())
    reader.refresh()
    before = reader.version
    assert before is not None
    publish(writer, an_entry(3), an_entry(4, served_arm=70), an_entry(200))
    reader.refresh()
    assert reader.changed_since(before) == frozenset(("ent_4", "ent_200"))


@pytest.mark.parametrize(
    "changes",
    [
        {"upgrade_probability": 1.5},
        {"churn_probability": float("nan")},
        {"served_arm": 70_000},
        {"base_limit": -1},
    ],
)
def test_what_fits_no_record_is_refused_and_the_next_base_is_sound(
    writer: SnapshotWriter, key: Ed25519PrivateKey, tmp_path: Path, changes: dict[str, object]
) -> None:
    publish(writer, an_entry(1), an_entry(2), whole=True)
    with pytest.raises(InvalidInput):
        publish(writer, an_entry(1, served_arm=70), an_entry(3), an_entry(2, **changes))
    reader = SnapshotReader(tmp_path, key.public_key())
    reader.refresh()
    assert reader.lookup("ent_1", NOW).arm == 85
    publish(writer, an_entry(2, served_arm=70))
    assert reader.refresh()
    assert reader.error is None
    assert reader.lookup("ent_2", NOW).arm == 70
    # Nothing is left of a tenant that came with the refused one.
    assert reader.lookup("ent_3", NOW).source is Source.UNKNOWN_TENANT


def test_tenants_that_share_what_their_limits_follow_from_share_limits(
    writer: SnapshotWriter, key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    bases = (1_000, 2_000, None, 2**32 + 1, 2**32 + 2)
    entries = [
        an_entry(
            number,
            base_limit=bases[number % 5],
            window_seconds=(60, 3600)[number % 2] if bases[number % 5] is not None else None,
            served_arm=(70, 85, 100)[number % 3],
        )
        for number in range(120)
    ]
    publish(writer, *entries, whole=True)
    reader = SnapshotReader(tmp_path, key.public_key())
    reader.refresh()
    publish(writer, an_entry(7, served_arm=70), an_entry(900, base_limit=2_000))
    reader.refresh()
    for now_us in (NOW, NOW + DAY_US // 2, NOW + 2 * DAY_US):
        found: dict[object, object] = {}
        names = []
        for name, source in reader.limits_from(now_us):
            limits = reader.lookup(name, now_us).limits
            assert found.setdefault(source, limits) == limits
            names.append(name)
        assert len(names) == len(set(names)) == 121
        assert 5 <= len(found) < 121
