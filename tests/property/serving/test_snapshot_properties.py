"""Properties of the snapshot: what goes in comes out, and no damage is ever served."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.arm import effective_limit
from flyball.instant import DAY_US, HOUR_US, MINUTE_US, parse_instant
from serving.snapshot.entry import Entry
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.version import delta_path
from serving.snapshot.writer import SnapshotWriter

NOW_US = parse_instant("2026-01-07T12:00:00Z")
KEY = Ed25519PrivateKey.generate()

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_:@|+=~-]{0,40}", fullmatch=True)
probabilities = st.none() | st.floats(0.0, 1.0)
words = st.text(alphabet="abcdefgh_", min_size=1, max_size=12)


@st.composite
def entries(draw: st.DrawFn, tenant: str) -> Entry:
    base = draw(st.none() | st.integers(1, 10**15))
    return Entry(
        tenant_id=tenant,
        decision_id=draw(st.from_regex(r"d_[0-9a-f]{16}", fullmatch=True) | names),
        served_arm=100 if base is None else draw(st.integers(1, 1_000)),
        base_limit=base,
        window_seconds=draw(st.sampled_from([None, 60, 3_600, 86_400, 2_592_000])),
        upgrade_probability=draw(probabilities),
        churn_probability=draw(probabilities),
        reasons=tuple(draw(st.lists(words, max_size=3))),
        model_version=draw(words | st.just("")),
        policy=draw(words),
        decided_us=draw(st.integers(NOW_US - DAY_US, NOW_US)),
        period_end_us=NOW_US + HOUR_US * draw(st.integers(1, 200)),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[list[Entry]]:
    tenants = draw(st.lists(names, min_size=1, max_size=12, unique=True))
    return [
        [
            draw(entries(tenant))
            for tenant in draw(st.lists(st.sampled_from(tenants), max_size=8, unique=True))
        ]
        for _ in range(draw(st.integers(1, 4)))
    ]


@given(histories(), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_readers_give_back_the_last_entry_of_every_tenant(
    history: list[list[Entry]], bases: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = SnapshotWriter(Path(folder), KEY)
        reader = SnapshotReader(Path(folder), KEY.public_key())
        latest: dict[str, Entry] = {}
        for step, changed in enumerate(history):
            latest |= {entry.tenant_id: entry for entry in changed}
            if step == bases:
                writer.publish_all(latest.values(), aliases={}, created_us=NOW_US, as_of_us=NOW_US)
            else:
                writer.publish_changes(changed, created_us=NOW_US, as_of_us=NOW_US)
            reader.refresh()
            assert reader.error is None
        for tenant, entry in latest.items():
            answer = json.loads(reader.answer(tenant, NOW_US))
            base, arm = entry.base_limit, entry.served_arm
            assert answer["tenantId"] == tenant
            assert answer["decisionId"] == entry.decision_id
            assert answer["baseLimit"] == base
            assert answer["dynamicMultiplier"] == arm / 100
            limit = None if base is None else effective_limit(base, arm)
            assert answer["effectiveLimit"] == limit
            assert answer["enforceFriction"] is (
                base is not None and limit is not None and arm < 100 and limit < base
            )
            assert answer["windowSeconds"] == entry.window_seconds
            assert tuple(answer["reasons"]) == entry.reasons
            assert answer["modelVersion"] == (entry.model_version or None)
            up = entry.upgrade_probability
            if up is None:
                assert answer["upsellProbability"] is None
            else:
                assert abs(answer["upsellProbability"] - up) <= 1.01e-5


def _published(folder: str) -> tuple[SnapshotReader, Path, list[dict[str, object]]]:
    """A home with a base and two frames; what each version says about tenant ``a``."""
    writer = SnapshotWriter(Path(folder), KEY)
    said = []
    for arm in (85, 70, 115):
        entry = Entry(
            tenant_id="a", decision_id="d_0000000000000001", served_arm=arm, base_limit=1_000,
            window_seconds=60, upgrade_probability=0.5, churn_probability=0.1, reasons=("r",),
            model_version="1", policy="value", decided_us=NOW_US, period_end_us=NOW_US + DAY_US,
        )  # fmt: skip
        writer.publish_changes([entry], created_us=NOW_US, as_of_us=NOW_US)
        check = SnapshotReader(Path(folder), KEY.public_key())
        check.refresh()
        said.append(json.loads(check.answer("a", NOW_US)))
    base = Path(folder) / "snapshot-0000000001.fbs"
    return SnapshotReader(Path(folder), KEY.public_key()), base, said


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_damaged_byte_is_ever_served(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        reader, base, said = _published(folder)
        path = data.draw(st.sampled_from([base, delta_path(base)]))
        raw = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(raw) - 1))
        if data.draw(st.booleans()):
            raw[at] ^= data.draw(st.integers(1, 255))
        else:
            del raw[at:]
        path.write_bytes(bytes(raw))
        reader.refresh()
        answer = json.loads(reader.answer("a", NOW_US))
        if path == base:
            assert answer["source"] == "unknown_tenant"
            assert reader.error is not None
        else:
            assert answer in said[:2]


@given(st.integers(0, 100 * DAY_US), st.integers(1, 1_000))
@settings(max_examples=50, deadline=None)
def test_age_never_tightens(age_us: int, arm: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = SnapshotWriter(Path(folder), KEY)
        entry = Entry(
            tenant_id="a", decision_id="d_0000000000000001", served_arm=arm, base_limit=997,
            window_seconds=60, upgrade_probability=0.5, churn_probability=0.1, reasons=("r",),
            model_version="1", policy="value", decided_us=NOW_US, period_end_us=NOW_US + DAY_US,
        )  # fmt: skip
        writer.publish_all([entry], aliases={}, created_us=NOW_US, as_of_us=NOW_US)
        reader = SnapshotReader(Path(folder), KEY.public_key())
        reader.refresh()
        served = reader.lookup("a", NOW_US + age_us).arm
        if age_us <= 15 * MINUTE_US:
            assert served == arm
        elif age_us <= DAY_US:
            assert served == max(arm, 100)
        else:
            assert served == 100
