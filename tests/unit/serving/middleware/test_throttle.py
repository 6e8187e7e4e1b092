"""The middleware: limits hold, tenants are apart, and what breaks on our side costs nobody."""

from __future__ import annotations

import asyncio
from typing import Any

from flyball.enforcement.counters import Ask
from flyball.enforcement.terms import LimitTerms, Terms
from flyball.enforcement.verdict import Verdict
from flyball.limit import LimitKind
from serving.middleware.asgi import Receive, Scope, Send
from serving.middleware.local_counters import LocalCounters
from serving.middleware.paced_counters import PacedCounters
from serving.middleware.settings import ThrottleSettings
from serving.node.standing import State
from tests.unit.serving.middleware.asgi_client import Stage, ask, cap, hello, rate

run = asyncio.run


async def statuses(app: Any, times: int, tenant: str = "ent_1") -> list[int]:
    return [(await ask(app, tenant)).status for _ in range(times)]


def test_a_limit_holds_and_its_change_neither_resets_nor_takes_back() -> None:
    stage = Stage()
    stage.decisions.limits["ent_1"] = (rate(10),)
    app = stage.throttle()
    assert run(statuses(app, 12)) == [200] * 10 + [429] * 2
    stage.decisions.limits["ent_1"] = (rate(13),)
    assert run(statuses(app, 5)) == [200] * 3 + [429] * 2
    stage.decisions.limits["ent_1"] = (rate(7),)
    assert run(statuses(app, 2)) == [429] * 2


def test_processes_that_share_a_limit_enforce_their_part_of_it() -> None:
    stage = Stage()
    stage.decisions.limits["ent_1"] = (rate(10),)
    app = stage.throttle(counters=LocalCounters(PacedCounters(share=4)))
    assert run(statuses(app, 5)) == [200] * 3 + [429] * 2


def test_an_answer_says_where_the_tenant_stands() -> None:
    stage = Stage()
    stage.decisions.limits["ent_1"] = (rate(10),)
    answer = run(ask(stage.throttle()))
    assert answer.headers["flyball-state"] == "fresh"
    assert answer.headers["ratelimit-policy"] == '"api.requests";q=10;w=60'
    assert answer.headers["ratelimit"] == '"api.requests";r=9;t=6'
    assert answer.headers["x-ratelimit-remaining"] == "9"


def test_a_refusal_is_a_problem_document_with_the_plan_page() -> None:
    stage = Stage()
    stage.decisions.limits["ent_1"] = (rate(1),)
    app = stage.throttle(settings=ThrottleSettings(plan_url="https://x.example/plan/{tenant}"))
    run(ask(app))
    refused = run(ask(app))
    assert refused.status == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == "60"
    assert refused.document["planUrl"] == "https://x.example/plan/ent_1"
    assert run(ask(app, method="HEAD")).body == b""


def test_two_tenants_never_share_a_counter() -> None:
    stage = Stage()
    stage.decisions.limits.update(ent_1=(rate(3),), ent_2=(rate(3),))
    app = stage.throttle()
    assert run(statuses(app, 4)) == [200] * 3 + [429]
    assert run(statuses(app, 4, "ent_2")) == [200] * 3 + [429]


def test_forged_headers_reach_neither_the_identity_nor_the_application() -> None:
    stage = Stage()
    stage.decisions.limits["ent_1"] = (rate(1),)
    forged = (
        (b"X-Flyball-Tenant", b"ent_2"),
        (b"flyball-state", b"open"),
        (b"RateLimit", b'"x";r=1000'),
        (b"accept", b"*/*"),
    )
    app = stage.throttle()
    assert run(ask(app, headers=forged)).body == b"accept"
    assert run(ask(app, headers=forged)).status == 429


def test_without_an_identity_a_request_is_not_ours() -> None:
    answer = run(ask(Stage().throttle(), None))
    assert answer.status == 200
    assert "flyball-state" not in answer.headers


def test_an_open_node_lets_everything_pass_and_says_so() -> None:
    stage = Stage()
    stage.decisions.limits["ent_1"] = (rate(1),)
    stage.decisions.state = State.OPEN
    app = stage.throttle()
    assert run(statuses(app, 5)) == [200] * 5
    assert run(ask(app)).headers["flyball-state"] == "open"


def test_an_unknown_tenant_passes() -> None:
    stage = Stage()
    assert run(statuses(stage.throttle(), 5, "who")) == [200] * 5


class Slow:
    """Counters somewhere far away."""

    immediate = False
    degraded = False

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def admit(self, terms: Terms, ask: Ask, now_us: int) -> Verdict:
        if self._error:
            raise self._error
        await asyncio.sleep(60)
        raise AssertionError("nobody waits so long")

    async def give_back(self, terms: Terms, ask: Ask, now_us: int) -> None: ...

    async def charge(self, terms: Terms, meter: str, units: int, now_us: int) -> None: ...

    def open(self) -> None: ...

    def upkeep(self, now_us: int) -> None: ...

    def close(self) -> None: ...


def test_past_the_deadline_and_after_an_error_of_ours_a_request_passes_visibly() -> None:
    for counters in (Slow(), Slow(RuntimeError("broken"))):
        stage = Stage()
        stage.decisions.limits["ent_1"] = (rate(1),)
        answer = run(ask(stage.throttle(counters=counters)))
        assert (answer.status, answer.headers["flyball-state"]) == (200, "open")


def test_an_error_of_the_application_stays_its_own() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    stage = Stage()
    stage.decisions.limits["ent_1"] = (rate(5), cap(1))
    app = stage.throttle(broken)
    for _ in range(2):  # the slot is free again each time
        try:
            run(ask(app))
        except ZeroDivisionError:
            continue
        raise AssertionError("the error was swallowed")


class Work:
    """An application that works until it is told to finish."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.order: list[str] = []
        self.gate = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.order.append(scope["path"])
        await self.gate.wait()
        self.running -= 1
        await hello(scope, receive, send)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_concurrency_cap_makes_requests_wait_in_order_instead_of_failing() -> None:
    async def scene() -> None:
        stage, work = Stage(), Work()
        stage.decisions.limits["ent_1"] = (rate(100), cap(2))
        app = stage.throttle(work)
        tasks = [asyncio.create_task(ask(app, path=f"/{n}")) for n in range(5)]
        await settle()
        assert work.running == 2
        work.gate.set()
        answers = await asyncio.gather(*tasks)
        assert [answer.status for answer in answers] == [200] * 5
        assert work.most == 2
        assert work.order == ["/0", "/1", "/2", "/3", "/4"]

    run(scene())


def test_a_larger_cap_lets_those_who_wait_start() -> None:
    async def scene() -> None:
        stage, work = Stage(), Work()
        stage.decisions.limits["ent_1"] = (cap(1),)
        app = stage.throttle(work)
        tasks = [asyncio.create_task(ask(app)) for _ in range(3)]
        await settle()
        stage.decisions.limits["ent_1"] = (cap(3),)
        async with asyncio.timeout(5):
            while work.running < 3:
                await asyncio.sleep(0.01)
        work.gate.set()
        await asyncio.gather(*tasks)

    run(scene())


def test_a_full_queue_and_a_passed_deadline_are_refusals_that_cost_no_request() -> None:
    async def scene() -> None:
        stage, work = Stage(), Work()
        stage.decisions.limits["ent_1"] = (rate(10), cap(1))
        app = stage.throttle(work, settings=ThrottleSettings(queue=1, queue_seconds=0.05))
        first = asyncio.create_task(ask(app))
        await settle()
        second = asyncio.create_task(ask(app))
        await settle()
        full = await ask(app)
        assert full.status == 429
        assert full.document["violated-policies"] == ["workflows.concurrent"]
        late = await second
        assert late.status == 429
        work.gate.set()
        assert (await first).status == 200
        # One request has passed; the two refused ones were given back.
        assert (await ask(app)).headers["ratelimit"].startswith('"api.requests";r=8')

    run(scene())


def test_what_its_rate_refuses_holds_no_slot() -> None:
    stage = Stage()
    stage.decisions.limits["ent_1"] = (rate(1), cap(1))
    app = stage.throttle(settings=ThrottleSettings(queue=0))
    assert run(statuses(app, 3)) == [200, 429, 429]
    stage.decisions.limits["ent_1"] = (rate(3), cap(1))
    assert run(statuses(app, 3)) == [200, 200, 429]


def test_a_client_that_goes_away_while_waiting_leaves_no_place_taken() -> None:
    async def scene() -> None:
        stage, work = Stage(), Work()
        stage.decisions.limits["ent_1"] = (cap(1),)
        app = stage.throttle(work)
        first = asyncio.create_task(ask(app))
        await settle()
        gone = asyncio.create_task(ask(app))
        await settle()
        gone.cancel()
        await settle()
        work.gate.set()
        assert (await first).status == 200
        assert (await ask(app)).status == 200

    run(scene())


def test_what_is_known_only_afterwards_is_charged_by_the_application() -> None:
    tokens = LimitTerms(
        meter="ai.tokens",
        kind=LimitKind.QUOTA,
        limit=100,
        window_seconds=2_592_000,
        soft=50,
        paid=True,
    )
    soft: list[bool] = []

    async def model(scope: Scope, receive: Receive, send: Send) -> None:
        soft.append(scope["flyball"].soft)
        await scope["flyball"].charge("ai.tokens", 60)
        await hello(scope, receive, send)

    stage = Stage()
    stage.decisions.limits["ent_1"] = (tokens,)
    app = stage.throttle(
        model,
        counters=LocalCounters(PacedCounters(longest_delay_us=0)),
        units=lambda scope, tenant: {"ai.tokens": 0},
    )
    assert run(statuses(app, 3)) == [200, 200, 402]
    assert soft == [False, True]
    assert stage.tally.counts["ent_1", "ai.tokens"] == 120


def test_demand_and_what_was_refused_are_both_reported() -> None:
    stage = Stage()
    stage.decisions.limits["ent_1"] = (rate(3),)
    run(statuses(stage.throttle(), 5))
    assert stage.tally.counts == {("ent_1", "api.requests"): 5, ("ent_1", "api.blocked"): 2}
    stage.metrics.settle()
    outcomes = {
        sample.labels["outcome"]: sample.value
        for family in stage.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "flyball_node_requests_total"
    }
    assert outcomes == {"passed": 3.0, "refused": 2.0}
