"""From raw events through the event log and the tiles: as-of time, order, duplicates, live."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import Any

import pytest

from features.checks import differing
from features.inputs import INPUTS
from flyball.instant import DAY_US, HOUR_US
from flyball.usage import UsageEvent

_SEEDS = (1, 2)


def _batches(events: Sequence[UsageEvent], size: int) -> list[Sequence[UsageEvent]]:
    return [events[start : start + size] for start in range(0, len(events), size)]


@pytest.mark.parametrize("seed", _SEEDS)
def test_deleting_what_happened_or_arrived_after_the_as_of_time_changes_nothing(
    kit: Any, seed: int
) -> None:
    events = kit.random_events(seed)
    known = [event for event in events if event.arrived_us < kit.as_of_us]
    assert len(known) < len(events)
    whole, cut = kit.home(), kit.home()
    kit.feed(whole, [events])
    kit.feed(cut, [known])
    assert differing(kit.features(whole), kit.features(cut)) == []


def test_absurd_future_events_change_nothing(kit: Any) -> None:
    events = kit.random_events(4)
    absurd = [
        dataclasses.replace(
            event,
            event_id=f"absurd-{number}",
            arrived_us=max(event.time_us, kit.as_of_us) + number,
            quantity=1e15,
        )
        for number, event in enumerate(events)
    ]
    clean, poisoned = kit.home(), kit.home()
    kit.feed(clean, [events])
    kit.feed(poisoned, [events, absurd])
    assert differing(kit.features(clean), kit.features(poisoned)) == []


@pytest.mark.parametrize("seed", _SEEDS)
def test_any_order_with_duplicates_sealed_or_not_gives_the_same_features(
    kit: Any, seed: int
) -> None:
    events = kit.random_events(seed)
    rng = random.Random(seed)
    shuffled = [*events, *rng.sample(events, 200)]
    rng.shuffle(shuffled)
    plain, mixed, sealed = kit.home(), kit.home(), kit.home()
    kit.feed(plain, [events])
    kit.feed(mixed, _batches(shuffled, 97))
    kit.feed(sealed, _batches(shuffled[::-1], 180), sealed_at_us=kit.as_of_us + 3 * DAY_US)
    expected = kit.features(plain)
    assert differing(expected, kit.features(mixed)) == []
    assert differing(expected, kit.features(sealed)) == []


def test_what_live_scoring_saw_is_what_training_sees_later(kit: Any) -> None:
    events = sorted(kit.random_events(5), key=lambda event: event.arrived_us)
    hours = [kit.as_of_us - back * HOUR_US for back in (24 * 9 + 10, 26, 10, 0)]
    live, later = kit.home(), kit.home()
    kit.feed(later, [events], sealed_at_us=kit.as_of_us + 3 * DAY_US)
    fed = 0
    for hour_us in hours:
        until = sum(event.arrived_us < hour_us for event in events)
        kit.feed(live, [events[fed:until]], sealed_at_us=hour_us)
        fed = until
        assert differing(kit.features(live, hour_us), kit.features(later, hour_us)) == []


def test_stores_give_the_relations_that_features_declare(kit: Any) -> None:
    home = kit.home()
    kit.feed(home, [kit.random_events(6)])
    with kit.connection(home, kit.as_of_us) as connection:
        for relation, columns in INPUTS.items():
            if relation == "spine":
                continue
            described = connection.execute(f"DESCRIBE {relation}").fetchall()
            found = {name: kind for name, kind, *_ in described}
            assert {name: found.get(name) for name in columns} == dict(columns), relation
