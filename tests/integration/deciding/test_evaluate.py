"""Scoring on demand: a real worker over what a real control loop has published."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from flyball.decision import Mode
from flyball.errors import BundleCorrupt
from flyball.home import Home
from flyball.instant import HOUR_US
from flyball.policies.constant import Constant
from ledger.people import Role
from ledger.sqlite_ledger import SqliteLedger
from models.matrix import inputs_of
from models.signature import load_public_key
from serving.control_loop import ControlLoop
from serving.deciding import current_bundle, decide_pass, scorer_of
from serving.evaluating.evaluator import MOST_WAITING, Evaluator
from serving.evaluating.feature_table import FeatureTable
from serving.evaluating.layout import FILE_NAME
from serving.evaluating.live_context import NO_CONTEXT, LiveContext
from serving.evaluating.publication import FeaturePublication
from serving.evaluating.verdict import Busy
from serving.listening import listen_tcp
from serving.worker import Worker
from serving.worker_process import server_of
from tests.integration.deciding.conftest import NOW_US, with_experiment
from tests.integration.deciding.looping import ALL_TIGHT, Clock


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


@pytest.fixture
def loop(trained: Home, clock: Clock) -> Iterator[ControlLoop]:
    with ControlLoop(trained, ALL_TIGHT, clock) as made:
        made.tick()
        yield made


@pytest.fixture
def client(trained: Home, loop: ControlLoop) -> Iterator[httpx2.Client]:
    with serving(trained) as made:
        yield made


@pytest.fixture(scope="module")
def settled(
    filled: Path, made_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Home]:
    """A home with its decisions, for the tests that change nothing in it."""
    home = Home(tmp_path_factory.mktemp("settled") / "home")
    shutil.copytree(filled, home.root)
    with ControlLoop(with_experiment(home, made_bundle), ALL_TIGHT, Clock(NOW_US)) as loop:
        loop.tick()
        yield home


@pytest.fixture(scope="module")
def unchanged(settled: Home) -> Iterator[httpx2.Client]:
    """Asks one service that several tests share."""
    with serving(settled) as made:
        yield made


@contextmanager
def serving(home: Home) -> Iterator[httpx2.Client]:
    worker = Worker(home, load_public_key(home.verify_key))
    worker.refresh()
    sock = listen_tcp("127.0.0.1", 0)
    server = server_of(worker)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    worker.keep_fresh()
    with httpx2.Client(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}", timeout=20) as made:
        yield made
    server.should_exit = True
    thread.join(10)
    worker.close()
    sock.close()


def evaluated(client: httpx2.Client, name: str, **context: object) -> dict[str, Any]:
    answer = client.post(f"/v1/decisions/{name}:evaluate", json=context)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def tight(client: httpx2.Client, kit: Any) -> str:
    found: str = next(
        t
        for t in kit.tenants
        if client.get(f"/v1/decisions/{t}").json()["dynamicMultiplier"] == 0.85
    )
    return found


def test_the_answer_is_advice_beside_the_decision_in_force(
    unchanged: httpx2.Client, kit: Any
) -> None:
    name = tight(unchanged, kit)
    decision = unchanged.get(f"/v1/decisions/{name}").json()
    body = evaluated(unchanged, f"key-{name}")
    assert body["tenantId"] == name
    assert (body["advisory"], body["mode"], body["movedTowardsOne"]) == (True, "what_if", False)
    assert body["current"]["decisionId"] == decision["decisionId"]
    assert body["dynamicMultiplier"] == decision["dynamicMultiplier"] == 0.85
    assert body["proposed"]["dynamicMultiplier"] == 0.85
    assert body["proposed"]["reasons"] == ["constant_policy"]
    assert body["modelVersion"] == decision["modelVersion"]
    assert body["limits"] == decision["limits"]


def test_scores_are_those_of_the_control_loop(unchanged: httpx2.Client, kit: Any) -> None:
    for name in kit.tenants:
        decision = unchanged.get(f"/v1/decisions/{name}").json()
        body = evaluated(unchanged, name)
        if body["proposed"]["dynamicMultiplier"] == decision["dynamicMultiplier"]:
            # The snapshot keeps probabilities in steps of 1/50,000.
            assert body["proposed"]["upsellProbability"] == pytest.approx(
                decision["upsellProbability"], abs=3e-5
            )


def test_a_live_spike_ends_friction_at_once_and_never_adds_any(
    unchanged: httpx2.Client, kit: Any
) -> None:
    name = tight(unchanged, kit)
    body = evaluated(unchanged, name, demand=90_000)
    assert body["movedTowardsOne"] is True
    assert body["dynamicMultiplier"] == 1.0
    assert body["effectiveLimit"] == body["baseLimit"]
    assert body["enforceFriction"] is False
    assert body["reasons"][0] == "spike"
    assert body["limits"][0]["effectiveLimit"] == body["limits"][0]["baseLimit"]
    assert body["proposed"]["dynamicMultiplier"] >= 1.0
    assert body["current"]["dynamicMultiplier"] == 0.85
    # Ordinary demand changes nothing, and the decision itself stays as it was.
    assert evaluated(unchanged, name, demand=400)["movedTowardsOne"] is False
    assert unchanged.get(f"/v1/decisions/{name}").json()["dynamicMultiplier"] == 0.85


def test_live_demand_changes_the_score(settled: Home, kit: Any) -> None:
    evaluator = Evaluator(settled, load_public_key(settled.verify_key))
    worker = Worker(settled, load_public_key(settled.verify_key))
    worker.refresh()
    answer = worker.reader.lookup(kit.tenants[0], worker.now_us())
    plain, pressed = evaluator.evaluate(
        [(answer, NO_CONTEXT), (answer, LiveContext(demand=50_000.0))]
    )
    assert plain.evaluation is not None
    assert pressed.evaluation is not None
    assert plain.evaluation.chances != pressed.evaluation.chances


def test_a_table_of_another_version_of_the_policy_is_not_used(
    settled: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = load_public_key(settled.verify_key)
    assert Evaluator(settled, key).available

    # As another process would see it whose software is older or newer.
    monkeypatch.setattr(Constant, "version", "2:85")
    assert not Evaluator(settled, key).available


def test_what_is_scored_is_what_the_pass_computed(trained: Home, kit: Any, tmp_path: Path) -> None:
    bundle = current_bundle(trained, ALL_TIGHT)
    assert bundle is not None
    with SqliteLedger(trained.ledger) as ledger:
        done = decide_pass(
            trained, ledger, ALL_TIGHT, as_of_us=kit.now_us, mode=Mode.WHAT_IF, bundle=bundle
        )
    scorer = scorer_of(bundle, ALL_TIGHT)
    assert scorer is not None
    inputs = inputs_of(done.table, scorer.manifest)
    publication = FeaturePublication(tmp_path / FILE_NAME)
    publication.publish_all(
        done.round, done.table, done.cases, done.decisions, bundle.manifest, created_us=1
    )
    publication.close()
    table = FeatureTable(tmp_path / FILE_NAME)
    names = table.header.features
    for number, tenant in enumerate(done.table.column("tenant_id").to_pylist()):
        row = table.row(tenant)
        assert row is not None
        mine = row.features[[names.index(name) for name in scorer.manifest.features]]
        np.testing.assert_array_equal(mine, inputs.x[number])
        np.testing.assert_array_equal(row.dose, inputs.dose[number])
        assert row.model_segment == inputs.segment[number]
    table.close()


def test_a_tenant_decided_again_is_scored_from_its_new_features(
    client: httpx2.Client, trained: Home, loop: ControlLoop, clock: Clock, kit: Any
) -> None:
    before = evaluated(client, "ent_05")
    clock.at_us += HOUR_US
    kit.spike(trained, "ent_05", clock.at_us - HOUR_US // 2)
    assert loop.tick() >= 1
    time.sleep(0.15)
    after = evaluated(client, "ent_05")
    assert after["featuresAsOf"] > before["featuresAsOf"]
    assert "spike" in after["proposed"]["reasons"]


def test_a_tenant_that_comes_later_is_found(
    client: httpx2.Client, trained: Home, loop: ControlLoop, kit: Any
) -> None:
    assert evaluated(client, "ent_01")["proposed"] is not None
    with SqliteLedger(trained.ledger) as ledger:
        ledger.put_account(kit.account("late_1"), author="test")
    loop.tick()
    time.sleep(0.3)
    body = evaluated(client, "late_1")
    assert body["source"] == "fresh"
    assert body["proposed"] is not None


def test_nobody_we_know_gets_an_answer_that_changes_nothing(unchanged: httpx2.Client) -> None:
    body = evaluated(unchanged, "nobody", demand=1)
    assert body["source"] == "unknown_tenant"
    assert body["dynamicMultiplier"] == 1.0
    assert body["baseLimit"] is None
    assert body["proposed"] is None


def test_with_the_table_gone_the_decision_in_force_is_answered(
    client: httpx2.Client, trained: Home, kit: Any
) -> None:
    (trained.snapshot / FILE_NAME).unlink()
    body = evaluated(client, kit.tenants[0])
    assert body["proposed"] is None
    assert body["current"]["decisionId"]


def test_a_damaged_table_is_refused_and_a_damaged_record_skipped(
    trained: Home, loop: ControlLoop, kit: Any
) -> None:
    path = trained.snapshot / FILE_NAME
    loop.close()
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    table = FeatureTable(path)
    assert sum(table.row(tenant) is None for tenant in kit.tenants) == 1
    table.close()
    raw[40] ^= 1
    path.write_bytes(raw)
    before = open_files()
    with pytest.raises(BundleCorrupt):
        FeatureTable(path)
    assert open_files() == before
    worker = Worker(trained, load_public_key(trained.verify_key))
    worker.refresh()
    assert not Evaluator(trained, load_public_key(trained.verify_key)).available


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b"[]", 422, "invalid"),
        (b'{"demand": -1}', 422, "invalid"),
        (b'{"demand": "many"}', 422, "invalid"),
        (b'{"demnad": 1}', 422, "invalid"),
        (b'{"endpoint": "a\\u0007"}', 422, "invalid"),
        (b" " * 20_000, 413, "too_large"),
    ],
)
def test_wrong_input_is_refused_with_what_to_do(
    unchanged: httpx2.Client, body: bytes, status: int, code: str
) -> None:
    answer = unchanged.post("/v1/decisions/ent_01:evaluate", content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code


def test_only_those_who_may_read_decisions_may_ask(client: httpx2.Client, trained: Home) -> None:
    with SqliteLedger(trained.ledger) as ledger:
        ingest = ledger.create_token("in", Role.INGEST, author="test", now_us=1)[0]
        gateway = ledger.create_token("gw", Role.GATEWAY, author="test", now_us=1)[0]
    time.sleep(0.3)
    url = "/v1/decisions/ent_01:evaluate"

    def status(token: str | None) -> int:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return client.post(url, headers=headers).status_code

    assert status(None) == 401
    assert status(ingest) == 403
    assert status(gateway) == 200


def test_more_than_a_worker_takes_on_is_refused_at_once(
    trained: Home, loop: ControlLoop, kit: Any
) -> None:
    key = load_public_key(trained.verify_key)
    worker = Worker(trained, key)
    worker.refresh()
    answer = worker.reader.lookup(kit.tenants[0], worker.now_us())

    async def crowd() -> None:
        evaluator = Evaluator(trained, key)
        waiting = [evaluator.submit(answer, NO_CONTEXT) for _ in range(MOST_WAITING)]
        with pytest.raises(Busy):
            evaluator.submit(answer, NO_CONTEXT)
        done = await asyncio.gather(*waiting)
        assert len(done) == MOST_WAITING
        assert (await evaluator.submit(answer, NO_CONTEXT)).evaluation is not None

    asyncio.run(crowd())


def test_evaluating_logs_no_decision(unchanged: httpx2.Client, settled: Home, kit: Any) -> None:
    with SqliteLedger(settled.ledger) as ledger:
        before = ledger.current_decisions(kit.now_us + 1)
        for tenant in kit.tenants:
            evaluated(unchanged, tenant, demand=90_000)
        assert ledger.current_decisions(kit.now_us + 1) == before
