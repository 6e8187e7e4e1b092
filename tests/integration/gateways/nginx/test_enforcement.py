"""What nginx with Lua enforces, limit by limit, over files that the test writes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.integration.gateways.nginx.decision_lines import DecisionFiles, limit, line
from tests.integration.gateways.nginx.nginx_process import Nginx, local_copy, need_nginx, nginx
from tests.integration.gateways.service_behind import ServiceBehind
from tests.integration.node.test_sidecar import wait_for


@pytest.fixture(autouse=True)
def installed() -> None:
    need_nginx()


@pytest.fixture
def files(tmp_path: Path) -> DecisionFiles:
    return DecisionFiles(tmp_path / "flyball")


@contextmanager
def gateway(
    files: DecisionFiles, behind: ServiceBehind, *, workers: int = 2, more: str = ""
) -> Iterator[Nginx]:
    folder = files.folder.parent
    text, port = local_copy(folder, files.folder, behind.port, workers=workers, more=more)
    with nginx(text, port, folder) as running:
        yield running


def crowd(running: Nginx, number: int, path: str = "/") -> list[httpx2.Response]:
    """So many requests at the same time, each over its own connection."""

    def one(_: int) -> httpx2.Response:
        url = f"http://127.0.0.1:{running.port}{path}"
        with httpx2.Client(timeout=10, verify=False, trust_env=False) as client:
            return client.get(url, headers={"X-API-Key": "key-1"})

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(one, range(number)))


def test_several_workers_together_let_through_exactly_the_limit(
    files: DecisionFiles, behind: ServiceBehind
) -> None:
    files.write(line("ent_1", limit(base=50)))
    with gateway(files, behind, workers=4) as running:
        answers = crowd(running, 120)
        assert sorted({answer.status_code for answer in answers}) == [200, 429]
        assert sum(answer.status_code == 200 for answer in answers) == 50
        assert {answer.headers["Flyball-State"] for answer in answers} == {"fresh"}


def test_a_bucket_drains_at_the_limit_and_a_burst_is_its_size(
    files: DecisionFiles, behind: ServiceBehind
) -> None:
    files.write(line("ent_1", limit(base=600, window=60, burst=5)))
    with gateway(files, behind) as running:
        began = time.monotonic()
        served = running.passed(60)
        lasted = time.monotonic() - began
        assert 5 <= served <= 5 + 10 * lasted + 1
        assert served >= min(60, 5 + 10 * lasted - 2)


def test_headers_and_body_say_where_the_tenant_stands(
    files: DecisionFiles, behind: ServiceBehind
) -> None:
    files.write(line("ent_1", limit(base=2, now=1, window=60)))
    with gateway(files, behind, more='plan_url = "https://plan.example",') as running:
        passed, refused = running.get(), running.get()
        assert passed.headers["RateLimit-Policy"] == '"api.requests";q=1;w=60'
        assert passed.headers["RateLimit"] == '"api.requests";r=0;t=60'
        assert refused.status_code == 429
        wait = int(refused.headers["Retry-After"])
        assert 1 <= wait <= 60
        assert abs(int(refused.headers["X-RateLimit-Reset"]) - time.time() - wait) < 5
        body = refused.json()
        assert body["status"] == 429
        assert body["violated-policies"] == ["api.requests"]
        assert body["retryAfterSeconds"] == wait
        assert "Your plan's limit is reached: api.requests, 1 a minute." in body["detail"]
        for word in ("probab", "churn", "capacity", "overload"):
            assert word not in refused.text.lower()


def test_without_friction_nobody_is_held_below_the_base_limit(
    files: DecisionFiles, behind: ServiceBehind
) -> None:
    files.write(line("ent_1", limit(base=20, now=10), friction=False))
    with gateway(files, behind) as running:
        assert running.passed(30) == 20


def test_an_old_copy_relaxes_then_opens(files: DecisionFiles, behind: ServiceBehind) -> None:
    files.write(line("ent_1", limit(base=20, now=10)), age_seconds=1_000)
    with gateway(files, behind) as running:
        answer = running.get()
        assert answer.headers["Flyball-State"] == "last_known_good"
        assert answer.headers["X-RateLimit-Limit"] == "20"
        files.change(age_seconds=90_000)
        wait_for(lambda: running.get().headers["Flyball-State"] == "open", 3)
        assert running.passed(40) == 40
        files.change()
        wait_for(lambda: running.get().headers["Flyball-State"] == "fresh", 3)
        assert running.get().headers["X-RateLimit-Limit"] == "10"


def test_a_half_written_line_waits_and_a_gone_tenant_is_unknown(
    files: DecisionFiles, behind: ServiceBehind
) -> None:
    files.write(line("ent_1", limit(base=20)), line("ent_2", limit(base=20)))
    with gateway(files, behind) as running:
        whole = line("ent_1", limit(base=30)) + "\n"
        files.append(whole[:-6])
        time.sleep(0.6)
        assert running.get().headers["X-RateLimit-Limit"] == "20"
        files.append(whole[-6:])
        wait_for(lambda: running.get().headers["X-RateLimit-Limit"] == "30", 3)
        files.change("ent_1\t-")
        wait_for(lambda: running.get().headers["Flyball-State"] == "unknown_tenant", 3)
        # A new generation without it: gone as well.
        files.write(line("ent_1", limit(base=40)))
        wait_for(lambda: running.get().headers.get("X-RateLimit-Limit") == "40", 3)
        # Lines are read in parts, between which requests are answered: a generation counts, and
        # whom it leaves out is gone, once it is read to its end.
        wait_for(lambda: running.get(key="key-2").headers["Flyball-State"] == "unknown_tenant", 3)


def test_endpoints_have_weights_and_limits_of_their_own(
    files: DecisionFiles, behind: ServiceBehind
) -> None:
    own = "GET /v1/exports,10,2,2;/v1/search*,5,0,0;/free,0,0,0"
    files.write(line("ent_1", limit(base=100, endpoints=own)))
    with gateway(files, behind) as running:
        assert running.passed(4, path="/v1/exports") == 2
        refused = running.get("/v1/exports")
        assert refused.json()["violated-policies"] == ["api.requests GET /v1/exports"]
        assert running.get("/v1/search?q=1").headers["X-RateLimit-Remaining"] == "75"
        assert running.get("/v1//search/more").headers["X-RateLimit-Remaining"] == "70"
        assert running.passed(80) == 70
        assert running.get("/free").status_code == 200


def test_an_allowance_slows_then_stops_and_asks_for_payment_where_the_plan_says(
    files: DecisionFiles, behind: ServiceBehind
) -> None:
    tokens = limit(
        "ai.tokens", "quota", base=100, window=2_592_000, soft=50, paid=True,
        endpoints="/tokens,0,0,0",
    )  # fmt: skip
    files.write(line("ent_1", limit(base=50), tokens))
    more = (
        "ask = function()"
        " return {units = ngx.var.uri == '/tokens' and {['ai.tokens'] = 0} or nil} end,"
    )
    with gateway(files, behind, more=more) as running:
        first = running.get("/tokens")  # the answer says that 60 were used
        assert "X-Flyball-Units" not in first.headers
        assert '"ai.tokens";q=100;qu="ai.tokens";w=2592000' in first.headers["RateLimit-Policy"]
        began = time.monotonic()
        assert running.get("/tokens").status_code == 200  # 60 of 100: above the soft share
        assert time.monotonic() - began >= 0.1
        refused = running.get("/tokens")
        assert refused.status_code == 402
        assert "More can be bought." in refused.json()["detail"]
        # Other requests need no tokens; of those above, the refused one counted towards nothing.
        assert running.get().headers["X-RateLimit-Remaining"] == "47"


def test_an_allowance_outlives_a_restart(files: DecisionFiles, behind: ServiceBehind) -> None:
    files.write(line("ent_1", limit(kind="quota", base=10)))
    with gateway(files, behind) as running:
        assert running.passed(7) == 7
    with gateway(files, behind) as running:
        assert running.passed(7) == 3


def test_a_reload_resets_nothing(files: DecisionFiles, behind: ServiceBehind) -> None:
    files.write(line("ent_1", limit(base=20)))
    with gateway(files, behind) as running:
        assert running.passed(12) == 12
        before = running.workers()
        running.reload()
        wait_for(lambda: running.workers() and not running.workers() & before)
        assert running.passed(12) == 8


def test_storage_refuses_what_does_not_fit(files: DecisionFiles, behind: ServiceBehind) -> None:
    files.write(line("ent_1", limit("storage.bytes", "storage", base=100, window=0)))
    more = (
        "ask = function() return {units = {['storage.bytes'] = tonumber(ngx.var.arg_add) or 0},"
        " stored = {['storage.bytes'] = 90}} end,"
    )
    with gateway(files, behind, more=more) as running:
        assert running.get("/?add=10").status_code == 200
        assert running.get("/?add=11").status_code == 429
        assert running.get("/").status_code == 200


def test_what_runs_at_the_same_time_is_capped_and_the_rest_waits(
    files: DecisionFiles, behind: ServiceBehind
) -> None:
    files.write(line("ent_1", limit("workflows.concurrent", "concurrency", base=3, window=0)))
    with gateway(files, behind) as running:
        behind.most = 0
        answers = crowd(running, 9, "/slow")
        assert [answer.status_code for answer in answers] == [200] * 9
        assert behind.most == 3


def test_a_full_queue_refuses_and_takes_nothing(
    files: DecisionFiles, behind: ServiceBehind
) -> None:
    parallel = limit("workflows.concurrent", "concurrency", base=1, window=0)
    files.write(line("ent_1", limit(base=100), parallel))
    with gateway(files, behind, more="queue_places = 1,") as running:
        answers = crowd(running, 8, "/slow")
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert refused[0].json()["violated-policies"] == ["workflows.concurrent"]
        served = len(answers) - len(refused)
        left = int(running.get().headers["X-RateLimit-Remaining"])
        assert left == 100 - served - 1


def test_a_killed_worker_takes_its_slots_and_keeps_the_counters(
    files: DecisionFiles, behind: ServiceBehind
) -> None:
    parallel = limit("workflows.concurrent", "concurrency", base=1, window=0)
    files.write(line("ent_1", limit(base=20), parallel))
    with gateway(files, behind, workers=1) as running:
        (worker,) = running.workers()
        with ThreadPoolExecutor(1) as pool:
            cut = pool.submit(running.get, "/slow")
            time.sleep(0.2)
            os.kill(worker, signal.SIGKILL)
            with pytest.raises(httpx2.HTTPError):
                cut.result(10)
        wait_for(lambda: running.workers() and worker not in running.workers())
        answer = running.get()
        assert answer.status_code == 200
        assert answer.headers["Flyball-State"] == "fresh"
        assert running.passed(30) == 18


def test_damaged_lines_let_requests_pass_and_say_so(
    files: DecisionFiles, behind: ServiceBehind
) -> None:
    files.write("ent_1\tent_1\t1\t1\tapi.requests\trate\tmany\t1\t60\t0\t0\t0\t-")
    with gateway(files, behind) as running:
        answer = running.get()
        assert (answer.status_code, answer.headers["Flyball-State"]) == (200, "open")
        assert "not a whole number" in running.log
