"""Properties of the snapshot: what goes in comes out, and no damage is ever served."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.arm import effective_limit
from flyball.effective import EffectiveLimit, effective_limits
from flyball.endpoint import Endpoint
from flyball.instant import DAY_US, HOUR_US, MINUTE_US, parse_instant
from flyball.limit import Limit, LimitKind, MeterLimit
from serving.snapshot.answer import answer_json
from serving.snapshot.entry import Entry
from serving.snapshot.limit_word import limit_json
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.version import Version, base_name, delta_path
from serving.snapshot.writer import SnapshotWriter

NOW_US = parse_instant("2026-01-07T12:00:00Z")
KEY = Ed25519PrivateKey.generate()

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_:@|+=~-]{0,40}", fullmatch=True)
probabilities = st.none() | st.floats(0.0, 1.0)
words = st.text(alphabet="abcdefgh_", min_size=1, max_size=12)


@st.composite
def meter_limits(draw: st.DrawFn) -> tuple[MeterLimit, ...]:
    found = []
    for place in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(LimitKind))
        base = draw(st.integers(1, 10**12))
        endpoints = [
            Endpoint(pattern=f"/{n}*", weight=draw(st.integers(0, 9)), base=base, contract=base)
            for n in range(draw(st.integers(0, 2)) if kind is not LimitKind.STORAGE else 0)
        ]
        limit = Limit(
            base=base,
            contract=base,
            kind=kind,
            per=draw(st.sampled_from(["minute", "month"])),
            burst=draw(st.none() | st.integers(1, 9)) if kind is LimitKind.RATE else None,
            paid=kind is LimitKind.QUOTA and draw(st.booleans()),
            endpoints=tuple(endpoints),
        )
        found.append(MeterLimit(f"meter_{place}", limit))
    return tuple(found)


@st.composite
def entries(draw: st.DrawFn, tenant: str) -> Entry:
    base = draw(st.none() | st.integers(1, 10**15))
    limits = draw(meter_limits())
    floors = tuple(draw(st.integers(0, 400)) for _ in limits) if draw(st.booleans()) else ()
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
        limits=limits,
        floors=floors,
    )


def expected_limits(entry: Entry, arm: int) -> tuple[EffectiveLimit, ...] | None:
    """What the plan's limits come to with the account's own primary base."""
    if entry.base_limit is None:
        return None
    if not entry.limits:
        only = EffectiveLimit(
            meter="api.requests",
            kind=LimitKind.RATE,
            base_limit=entry.base_limit,
            effective_limit=effective_limit(entry.base_limit, arm),
            window_seconds=entry.window_seconds,
        )
        return (only,)
    meter, first = entry.limits[0]
    first = replace(first, base=entry.base_limit, contract=1)
    return effective_limits((MeterLimit(meter, first), *entry.limits[1:]), arm, entry.floors)


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
            for later_us in (NOW_US, NOW_US + 20 * MINUTE_US, NOW_US + 2 * DAY_US):
                raw = reader.answer(tenant, later_us)
                assert answer_json(reader.lookup(tenant, later_us)) == raw
            answer = json.loads(reader.answer(tenant, NOW_US))
            base, arm = entry.base_limit, entry.served_arm
            assert answer["tenantId"] == tenant
            assert answer["decisionId"] == entry.decision_id
            assert answer["baseLimit"] == base
            assert answer["dynamicMultiplier"] == arm / 100
            limits = expected_limits(entry, arm)
            assert reader.lookup(tenant, NOW_US).limits == limits
            assert answer["limits"] == (limits and [*map(limit_json, limits)])
            first = limits[0] if limits else None
            assert answer["effectiveLimit"] == (first and first.effective_limit)
            assert answer["windowSeconds"] == (first and first.window_seconds)
            assert answer["enforceFriction"] is bool(first and first.enforce_friction)
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
    base = Path(folder) / base_name(Version(1, 0))
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
