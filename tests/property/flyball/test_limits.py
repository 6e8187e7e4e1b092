"""Whatever a plan states: every contract holds, limits round up, storage keeps what is stored."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from flyball.arm import ArmGrid
from flyball.effective import effective_limits, storage_floors
from flyball.endpoint import Endpoint
from flyball.limit import Limit, LimitKind, MeterLimit

_BASES = st.one_of(st.integers(1, 300), st.integers(1, 10**12))


@st.composite
def _limits(draw: st.DrawFn, kind: LimitKind | None = None) -> Limit:
    base = draw(_BASES)
    chosen = kind or draw(st.sampled_from(LimitKind))
    endpoints = []
    if chosen is not LimitKind.STORAGE:
        for number in range(draw(st.integers(0, 2))):
            own = draw(st.none() | _BASES)
            promised = None if own is None else draw(st.integers(1, own))
            endpoints.append(Endpoint(pattern=f"/{number}", base=own, contract=promised))
    return Limit(
        base=base,
        contract=draw(st.integers(max(1, base * 6 // 10), base)),
        kind=chosen,
        endpoints=tuple(endpoints),
    )


_PLANS = st.lists(_limits(), min_size=1, max_size=4)
_ARMS = st.lists(st.integers(1, 300), max_size=6).map(lambda a: tuple(sorted({100, *a})))


@given(_PLANS, _ARMS)
def test_no_offered_arm_is_below_any_contract_of_the_plan(
    plan: list[Limit], arms: tuple[int, ...]
) -> None:
    items = [MeterLimit(f"meter.{n}", limit) for n, limit in enumerate(plan)]
    offered = ArmGrid(arms).allowed(plan)
    assert 100 in offered
    for arm in offered:
        for item, limit in zip(items, effective_limits(items, arm), strict=True):
            assert limit.effective_limit >= item.limit.contract
            for stated, endpoint in zip(item.limit.endpoints, limit.endpoints, strict=True):
                assert (endpoint.effective_limit or 0) >= (stated.contract or 0)


@given(_PLANS, st.integers(1, 1_000))
def test_every_limit_is_base_times_arm_rounded_up(plan: list[Limit], arm: int) -> None:
    items = [MeterLimit(f"meter.{n}", limit) for n, limit in enumerate(plan)]
    for limit in effective_limits(items, arm):
        exact = limit.base_limit * arm
        assert exact <= 100 * limit.effective_limit < exact + 100


@given(
    st.lists(_limits(LimitKind.STORAGE), min_size=1, max_size=3),
    _limits(),
    st.integers(1, 300),
    st.data(),
)
def test_a_storage_limit_never_falls_below_what_is_stored(
    storage: list[Limit], primary: Limit, arm: int, data: st.DataObject
) -> None:
    items = [MeterLimit("api.requests", primary)]
    items += [MeterLimit(f"storage.{n}", limit) for n, limit in enumerate(storage)]
    stored = {
        item.meter: data.draw(st.floats(0, 2.0 * item.limit.base))
        for item in items
        if item.limit.kind is LimitKind.STORAGE and data.draw(st.booleans())
    }
    floors = storage_floors(items, arm, stored)
    # The ladder may serve 100 instead of the arm decided, and nothing between is out of reach.
    for served in {arm, 100, (arm + 100) // 2}:
        for item, limit in zip(items, effective_limits(items, served, floors), strict=True):
            exact = math.ceil(item.limit.base * served / 100)
            if item.limit.kind is not LimitKind.STORAGE:
                assert limit.effective_limit == -(-item.limit.base * served // 100)
            elif item.meter in stored:
                assert limit.effective_limit >= stored[item.meter]
                # No more than a hundredth of the base above what is needed.
                needed = max(exact, math.ceil(stored[item.meter]))
                assert limit.effective_limit <= needed + item.limit.base / 100 + 1
            else:
                assert not limit.enforce_friction
