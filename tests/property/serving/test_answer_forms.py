"""Answers put together from forms are, byte for byte, what the plain writer writes."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.instant import DAY_US, MINUTE_US, SECOND_US, parse_instant
from flyball.limit import Limit, LimitKind, MeterLimit
from serving.snapshot.answer import answer_json
from serving.snapshot.entry import Entry
from serving.snapshot.reader import SnapshotReader
from serving.snapshot.writer import SnapshotWriter

NOW_US = parse_instant("2026-01-07T12:00:00Z")
KEY = Ed25519PrivateKey.generate()

#: Whatever JSON has to escape, and what looks like the next field of an answer.
HOSTILE = st.sampled_from(
    ('"', "\\", '","baseLimit":1', "%b%d%s{}", "\x00\n\x7f", "é\u2028", "💥", "", "null")
)
TEXTS = HOSTILE | st.text(max_size=12)
IDS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_:@|+=~-]{0,40}", fullmatch=True) | st.sampled_from(
    ("d_", "a" * 128, "0", "null", "true", "a.b", "_")
)
PLANS = st.sampled_from(
    (
        (),
        (MeterLimit("api.requests", Limit(base=10, contract=1, per="minute")),),
        (
            MeterLimit("api.requests", Limit(base=10, contract=1, per="hour", burst=3)),
            MeterLimit("files", Limit(base=99, contract=1, kind=LimitKind.STORAGE)),
        ),
    )
)
#: Few of each, so that many tenants share a form; the widest of each, so that every way is gone.
ENTRIES = st.builds(
    Entry,
    tenant_id=IDS,
    decision_id=st.from_regex(r"d_[0-9a-f]{16}", fullmatch=True) | IDS,
    served_arm=st.sampled_from((1, 70, 99, 100, 101, 130, 1_000)),
    base_limit=st.sampled_from((None, 1, 7, 10_000, 2**32 - 1, 2**32, 10**15)),
    window_seconds=st.just(60),
    upgrade_probability=st.none() | st.floats(0, 1) | st.sampled_from((0.0, 1.0, 2e-5, 1e-4)),
    churn_probability=st.none() | st.floats(0, 1),
    reasons=st.lists(TEXTS, max_size=2).map(tuple),
    model_version=TEXTS,
    policy=TEXTS,
    decided_us=st.sampled_from((NOW_US - DAY_US, NOW_US - 1, NOW_US)),
    period_end_us=st.sampled_from((NOW_US - 1, NOW_US + MINUTE_US, NOW_US + 7 * DAY_US)),
    limits=PLANS,
)


def sound(entry: Entry) -> Entry:
    """Without a plan there is nothing but the plan's arm."""
    return replace(entry, served_arm=100) if entry.base_limit is None else entry


#: The last of those with the same id counts.
TENANTS = st.lists(ENTRIES.map(sound), min_size=1, max_size=10).map(
    lambda entries: [*{entry.tenant_id: entry for entry in entries}.values()]
)


def agree(reader: SnapshotReader, names: list[str], at_us: int) -> None:
    for _ in range(2):  # the second time from what was kept
        for name in names:
            assert reader.answer(name, at_us) == answer_json(reader.lookup(name, at_us))
    known = [reader.known(name.encode(), at_us) for name in names]
    assert [*reader.answers(at_us)] == known[: reader.tenants]


@given(TENANTS, TENANTS)
@settings(max_examples=50, deadline=None)
def test_answers_from_forms_are_those_of_the_plain_writer(
    first: list[Entry], changes: list[Entry]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        kill = Path(folder) / "kill"
        writer = SnapshotWriter(Path(folder) / "snapshot", KEY)
        reader = SnapshotReader(Path(folder) / "snapshot", KEY.public_key(), kill=kill)
        writer.publish_all(first, aliases={}, created_us=NOW_US, as_of_us=NOW_US)
        reader.refresh()
        names = [entry.tenant_id for entry in first]
        agree(reader, names, NOW_US)
        # A delta changes some, adds others, and brings new words: what was kept stays right.
        writer.publish_changes(changes, created_us=NOW_US + 1, as_of_us=NOW_US + 1)
        reader.refresh()
        assert reader.error is None
        names += [e.tenant_id for e in changes if e.tenant_id not in names]
        for at_us in (NOW_US + 2, NOW_US + 16 * MINUTE_US, NOW_US + 2 * DAY_US, NOW_US + 3):
            agree(reader, names, at_us)
        kill.touch()
        agree(reader, names, NOW_US + SECOND_US)
        kill.unlink()
        agree(reader, names, NOW_US + 2 * SECOND_US)
