"""What the control loop publishes of a decision: every limit, and news for those who asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from console.standings.file import Standings
from console.standings.row import standing_of
from console.standings.search import SELECTED
from flyball.home import Home
from flyball.limit import Limit, LimitKind
from ledger.records import PlanEntry
from ledger.sqlite_ledger import SqliteLedger
from models.signature import load_public_key
from serving.clock import wall_us
from serving.control_loop import ControlLoop
from serving.evaluating.document import document
from serving.evaluating.evaluator import Evaluator
from serving.evaluating.live_context import NO_CONTEXT
from serving.settings import settings_from
from serving.snapshot.reader import SnapshotReader
from serving.stored import read_stored
from tests.integration.deciding.conftest import NOW_US, feed, plans, usage
from tests.integration.deciding.looping import Clock

SETTINGS = settings_from(
    {
        "policy": {"name": "constant", "arm": 85},
        "guardrails": {"friction_share": 1.0},
        "webhooks": {"url": "https://example.com/hook", "events": ["decision"]},
    }
)


def answers(home: Home, names: list[str]) -> list[dict[str, Any]]:
    reader = SnapshotReader(home.snapshot, load_public_key(home.verify_key), kill=home.kill)
    reader.refresh()
    assert reader.error is None
    return [json.loads(reader.answer(name, wall_us())) for name in names]


def test_every_limit_follows_the_arm_and_storage_keeps_what_is_stored(
    trained: Home, kit: Any
) -> None:
    storage = Limit(base=1_000, contract=500, kind=LimitKind.STORAGE)
    with SqliteLedger(trained.ledger) as ledger:
        for plan in plans():
            limits = {**plan.limits, "storage.bytes": storage}
            entry = PlanEntry(plan=replace(plan, limits=limits), effective_us=kit.now_us - 1)
            ledger.put_plan(entry, now_us=kit.now_us - 1)
    reported = {kit.tenants[0]: 921.0, kit.tenants[1]: 10.0, kit.tenants[2]: 1_500.0}
    events = [
        replace(usage(tenant, 900_000 + n, kit.now_us - 10**6, value, kit.now_us - 10**6),
                meter="storage.bytes")
        for n, (tenant, value) in enumerate(reported.items())
    ]  # fmt: skip
    feed(trained, events)
    with ControlLoop(trained, SETTINGS, Clock(kit.now_us)) as loop:
        loop.tick()
    found = answers(trained, kit.tenants)
    assert any(one["enforceFriction"] for one in found)
    for one in found:
        primary, *_, stored = one["limits"]
        assert primary["meter"] == "api.requests"
        for name in ("baseLimit", "effectiveLimit", "windowSeconds"):
            assert primary[name] == one[name]
        assert stored["kind"] == "storage"
        assert stored["windowSeconds"] is None
        arm = round(one["dynamicMultiplier"] * 100)
        held = reported.get(one["tenantId"])
        if held is None:
            # Nobody knows what it stores, so that is not tightened.
            assert stored["effectiveLimit"] == max(1_000, 10 * arm)
        else:
            assert stored["effectiveLimit"] == max(10 * arm, -(-int(held) // 10) * 10)


def test_a_primary_storage_limit_is_the_same_for_gateways_for_people_and_in_proposals(
    trained: Home, kit: Any
) -> None:
    storage = Limit(base=1_000, contract=500, kind=LimitKind.STORAGE)
    with SqliteLedger(trained.ledger) as ledger:
        for plan in plans():
            limits = {"storage.bytes": storage, **plan.limits}
            stores = replace(plan, primary_meter="storage.bytes", limits=limits)
            ledger.put_plan(PlanEntry(plan=stores, effective_us=kit.now_us - 1), now_us=NOW_US - 1)
    held = dict(zip(kit.tenants, (921.0, 10.0, 1_500.0), strict=False))
    feed(
        trained,
        [
            replace(usage(tenant, 900_000, kit.now_us - 10**6, value, kit.now_us - 10**6),
                    meter="storage.bytes")
            for tenant, value in held.items()
        ],
    )  # fmt: skip
    with ControlLoop(trained, SETTINGS, Clock(kit.now_us)) as loop:
        loop.tick()
    found = {one["tenantId"]: one for one in answers(trained, kit.tenants)}
    assert {found[name]["effectiveLimit"] for name in kit.tenants} >= {1_500, 1_000}
    evaluator = Evaluator(trained, load_public_key(trained.verify_key))
    snapshot = SnapshotReader(trained.snapshot, load_public_key(trained.verify_key))
    snapshot.refresh()
    with SqliteLedger(trained.ledger) as ledger:
        standings = Standings(trained, ledger, lambda: NOW_US)
        standings.follow()
        rows = standings.rows(
            f"SELECT {SELECTED} FROM standing LEFT JOIN usage u USING (tenant_id)"
        )
        standings.close()
    assert len(rows) == len(kit.tenants)
    for row in map(standing_of, rows):
        told = found[row.tenant_id]
        assert row.effective_limit == told["effectiveLimit"]
        stored = held.get(row.tenant_id)
        lowest = 1_000 if stored is None else -(-int(stored) // 10) * 10
        answer = snapshot.lookup(row.tenant_id, wall_us())
        (evaluated,) = evaluator.evaluate([(answer, NO_CONTEXT)])
        proposed = json.loads(document(answer, evaluated, NOW_US))["proposed"]
        arm = round(proposed["dynamicMultiplier"] * 100)
        assert proposed["effectiveLimit"] == max(10 * arm, lowest) == row.limit_under(arm)


def test_changed_decisions_wait_for_their_webhook(trained: Home, kit: Any) -> None:
    with ControlLoop(trained, SETTINGS, Clock(kit.now_us)) as loop:
        loop.tick()
        tight = {a["tenantId"] for a in answers(trained, kit.tenants) if a["enforceFriction"]}
        assert tight
        assert told(trained) == tight
        loop.tick()
        assert len(bodies(trained)) == 1
        trained.kill.parent.mkdir(exist_ok=True)
        trained.kill.write_text("{}")
        loop.tick()
    after = bodies(trained)[-1]["data"]["decisions"]
    assert {one["tenantId"] for one in after} == tight
    assert {one["dynamicMultiplier"] for one in after} == {1.0}
    assert "probability" not in json.dumps(bodies(trained)).lower()


def bodies(home: Home) -> list[dict[str, Any]]:
    with SqliteLedger(home.ledger) as ledger:
        rows = ledger.file.rows("SELECT body FROM webhook_message ORDER BY seq")
    return [msgspec.json.decode(row[0]) for row in rows]


def told(home: Home) -> set[str]:
    return {one["tenantId"] for body in bodies(home) for one in body["data"]["decisions"]}


@pytest.mark.parametrize(("hour", "value"), [(241, 5.0), (242, 7.0), (243, 9.0), (400, 9.0)])
def test_only_what_had_arrived_counts_as_stored(hour: int, value: float, tmp_path: Path) -> None:
    connection = duckdb.connect()
    columns = "tenant_id, meter, last_at_us, last_value"
    connection.execute(
        f"CREATE TABLE usage_day AS SELECT * FROM (VALUES ('a','storage.bytes',1,5.0,3,4),"
        f" ('a','storage.bytes',400,9.0,10,10), ('a','api.requests',9,1.0,3,4))"
        f" t({columns}, event_day, arrival_day)"
    )
    connection.execute(
        f"CREATE TABLE usage_hour AS SELECT * FROM (VALUES ('a','storage.bytes',300,7.0,241,241),"
        f" ('a','storage.bytes',400,9.0,241,242)) t({columns}, event_hour, arrival_hour)"
    )
    plan = replace(
        plans()[0],
        limits={
            **plans()[0].limits,
            "storage.bytes": Limit(base=9, contract=9, kind=LimitKind.STORAGE),
        },
    )
    assert read_stored(connection, [plan], as_of_hour=hour) == {"a": {"storage.bytes": value}}
    assert read_stored(connection, plans(), as_of_hour=hour) == {}
