"""The middleware's short way for plain requests says and counts what the whole way does."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.enforcement.counters import Ask, Counters
from flyball.enforcement.fields import limit_fields
from flyball.enforcement.terms import EndpointTerms, LimitTerms, Terms
from flyball.limit import LimitKind
from serving.middleware.lane import Lane
from serving.middleware.paced_counters import PacedCounters
from serving.pace import pace_of
from serving.shared_counters import SharedCounters

START_US = 1_767_571_200_000_000
#: Counts otherwise: three units, and towards a limit of its own.
DEAR = EndpointTerms(pattern="/dear", weight=3, limit=2)

RATES = st.builds(
    LimitTerms,
    meter=st.just("api.requests"),
    kind=st.just(LimitKind.RATE),
    limit=st.integers(1, 40) | st.just(10**12),
    window_seconds=st.sampled_from((1, 60, 3_600)),
    burst=st.none() | st.integers(1, 60),
    paid=st.booleans(),
    endpoints=st.sampled_from(((), (DEAR,))),
)
#: Limits that a plain request does not count towards.
OTHERS = st.lists(
    st.sampled_from(
        (
            LimitTerms(meter="files.stored", kind=LimitKind.STORAGE, limit=5),
            LimitTerms(meter="ai.tokens", kind=LimitKind.QUOTA, limit=9, window_seconds=86_400),
            LimitTerms(
                meter="ai.calls",
                kind=LimitKind.RATE,
                limit=9,
                window_seconds=60,
                endpoints=(EndpointTerms(pattern="/dear"),),
            ),
        )
    ),
    max_size=3,
    unique=True,
)
#: (microseconds that pass, the rate from then on or None, path, "ago": how long it is in force)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 9_000_000),
        st.none() | RATES,
        st.sampled_from(("/", "/dear")),
        st.none() | st.integers(-1_000_000, 9_000_000),
    ),
    min_size=1,
    max_size=50,
)


@given(RATES, OTHERS, STEPS, st.integers(1, 4))
def test_either_way_says_and_counts_the_same(
    first: LimitTerms,
    others: list[LimitTerms],
    steps: list[tuple[int, LimitTerms | None, str, int | None]],
    share: int,
) -> None:
    whole, short = Counters(share=share), PacedCounters(share=share)
    rate, now_us = first, START_US
    for gap, change, path, ago in steps:
        now_us += gap
        rate = change or rate
        since_us = None if ago is None else now_us - ago
        terms = Terms(tenant_id="ent_1", limits=(rate, *others), source="fresh", since_us=since_us)
        ask = Ask(path=path)
        told = whole.admit(terms, ask, now_us)
        pace = Lane(terms, share=short.share).pace
        assert pace is not None
        plain = not pace.endpoints or pace.is_plain("GET", path)
        paced = short.pass_one(pace, now_us) if plain else None
        if paced is None:
            assert short.admit(terms, ask, now_us) == told
            continue
        assert told.passes
        assert paced.verdict == told
        said = [(name.decode(), value.decode()) for name, value in paced.fields]
        assert said == limit_fields(told, now_us)


@given(RATES, OTHERS, STEPS)
@settings(max_examples=30)
def test_two_processes_going_different_ways_count_as_one(
    first: LimitTerms,
    others: list[LimitTerms],
    steps: list[tuple[int, LimitTerms | None, str, int | None]],
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "counters"
        alone = SharedCounters(Path(folder) / "alone", slots=64)
        ways = [SharedCounters(path, slots=64), SharedCounters(path, slots=64)]
        rate, now_us = first, START_US
        for number, (gap, change, target, ago) in enumerate(steps):
            now_us += gap
            rate = change or rate
            terms = Terms(
                tenant_id="ent_1",
                limits=(rate, *others),
                source="fresh",
                since_us=None if ago is None else now_us - ago,
            )
            ask = Ask(path=target)
            told = alone.admit(terms, ask, now_us)
            pace, counters = pace_of(terms), ways[number % 2]
            assert pace is not None
            plain = not pace.endpoints or pace.is_plain("GET", target)
            paced = None
            if number % 3 and plain:
                paced = counters.pass_one(pace, counters.place_of(pace.key), now_us)
            if paced is None:
                assert counters.admit(terms, ask, now_us) == told
            else:
                assert paced.verdict == told
        for counters in (alone, *ways):
            counters.close()


def test_what_a_plain_request_counts_towards_decides_which_way_it_goes() -> None:
    def has_short_way(*limits: LimitTerms) -> bool:
        return Lane(Terms(tenant_id="ent_1", limits=limits, source="fresh")).pace is not None

    rate = LimitTerms(meter="api.requests", kind=LimitKind.RATE, limit=5, window_seconds=60)
    day = LimitTerms(meter="api.requests", kind=LimitKind.QUOTA, limit=5, window_seconds=86_400)
    cap = LimitTerms(meter="jobs", kind=LimitKind.CONCURRENCY, limit=5)
    heavy = LimitTerms(meter="jobs", kind=LimitKind.CONCURRENCY, limit=5, endpoints=(DEAR,))
    assert has_short_way(rate)
    assert has_short_way(rate, cap)
    assert not has_short_way(rate, heavy)
    assert not has_short_way(rate, day)
    assert not has_short_way(day)
    assert not has_short_way(cap)
    assert not has_short_way()
