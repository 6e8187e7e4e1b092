"""Forward-auth on a real worker: counted, refused as documented, open when anything fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx2
import pytest

from ledger.people import Role
from ledger.sqlite_ledger import SqliteLedger
from serving.shared_counters import SharedCounters
from tests.integration.service.running import Service, entry

TENANT = "x-flyball-tenant"
#: Where counts matter: of ten a minute, one drains in six seconds, which a busy machine may take.
HOUR = 3_600


def ask(
    service: Service, tenant: str | None, url: str = "/v1/authorize", **headers: str
) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if tenant is not None:
        named[TENANT] = tenant
    with service.client() as client:
        return client.get(url, headers=named)


def test_what_the_effective_limit_holds_passes_and_the_next_is_refused(service: Service) -> None:
    service.publish(
        entry("ent_1", 85, base=10, window_seconds=HOUR),
        entry("ent_2", 100, base=10, window_seconds=HOUR),
    )
    with service.client() as client:
        answers = [client.get("/v1/authorize", headers={TENANT: "ent_1"}) for _ in range(10)]
    assert [a.status_code for a in answers] == [200] * 9 + [429]
    first, last = answers[0], answers[-1]
    assert first.headers["ratelimit-policy"] == '"api.requests";q=9;w=3600'
    assert first.headers["ratelimit"].startswith('"api.requests";r=8;t=')
    assert first.headers["x-ratelimit-limit"] == "9"
    assert first.headers["x-flyball-multiplier"] == "0.85"
    assert first.headers["x-flyball-tenant"] == "ent_1"
    assert first.headers["flyball-state"] == "fresh"
    assert int(last.headers["retry-after"]) >= 1
    assert last.headers["content-type"] == "application/problem+json"
    assert last.json()["status"] == 429
    # Another tenant has its own counter.
    assert ask(service, "ent_2").headers["x-ratelimit-remaining"] == "9"


def test_nothing_that_a_tenant_may_see_holds_a_probability(service: Service) -> None:
    service.publish(entry("ent_1", 85, base=1))
    for _ in range(2):
        answer = ask(service, "ent_1")
        told = (str(answer.headers) + answer.text).lower()
        assert "probab" not in told
        assert "0.92" not in told
        assert "upgrade" not in told
    assert answer.status_code == 429


def test_an_alias_counts_for_its_tenant(service: Service) -> None:
    service.publish(entry("ent_1", 100, base=2), aliases={"key_1": "ent_1"})
    assert [ask(service, name).status_code for name in ("key_1", "ent_1", "key_1")] == [
        200,
        200,
        429,
    ]


def test_a_change_of_limit_neither_resets_nor_refills(service: Service) -> None:
    service.publish(entry("ent_1", 100, base=10, window_seconds=HOUR))
    assert {ask(service, "ent_1").status_code for _ in range(8)} == {200}
    service.publish(entry("ent_1", 70, base=10, window_seconds=HOUR))
    assert ask(service, "ent_1").status_code == 429
    service.publish(entry("ent_1", 130, base=10, window_seconds=HOUR))
    statuses = [ask(service, "ent_1").status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]


def test_nginx_gets_a_status_that_it_understands_and_the_real_one(service: Service) -> None:
    service.publish(entry("ent_1", 100, base=1))
    ask(service, "ent_1")
    answer = ask(service, "ent_1", "/v1/authorize?deny_status=403")
    assert answer.status_code == 403
    assert answer.headers["x-flyball-status"] == "429"
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("wish", ["200", "503", "4o3", "-1"])
def test_a_status_that_would_let_the_refused_pass_cannot_be_wished(
    service: Service, wish: str
) -> None:
    assert ask(service, "ent_1", f"/v1/authorize?deny_status={wish}").status_code == 422


def test_who_is_not_known_passes_and_the_answer_says_so(service: Service) -> None:
    unknown = ask(service, "nobody")
    assert (unknown.status_code, unknown.headers["flyball-state"]) == (200, "unknown_tenant")
    assert "ratelimit" not in unknown.headers
    nameless = ask(service, None)
    assert (nameless.status_code, nameless.headers["flyball-state"]) == (200, "no_identity")


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_every_method_is_asked_about(service: Service, method: str) -> None:
    with service.client() as client:
        answer = client.request(method, "/v1/authorize/v1/search", headers={TENANT: "ent_1"})
    assert answer.status_code == 200
    assert answer.headers["x-flyball-tenant"] == "ent_1"


def test_a_gateway_needs_its_token_which_may_stand_beside_the_clients(service: Service) -> None:
    with SqliteLedger(service.home.ledger) as ledger:
        token, _ = ledger.create_token("edge", Role.GATEWAY, author="test", now_us=1)
        other, _ = ledger.create_token("in", Role.INGEST, author="test", now_us=1)
    service.worker.refresh()
    assert ask(service, "ent_1").status_code == 401
    assert ask(service, "ent_1", authorization=f"Bearer {other}").status_code == 403
    assert ask(service, "ent_1", authorization=f"Bearer {token}").status_code == 200
    both = {"authorization": "Bearer of-the-client", "x_flyball_token": token}
    assert ask(service, "ent_1", **both).status_code == 200


def test_counters_that_cannot_be_kept_let_everybody_pass(service: Service) -> None:
    service.publish(entry("ent_1", 100, base=1))
    run: Path = service.home.counters.parent
    shutil.rmtree(run, ignore_errors=True)
    run.write_bytes(b"in the way")
    answers = [ask(service, "ent_1") for _ in range(3)]
    assert [a.status_code for a in answers] == [200] * 3
    assert {a.headers["flyball-state"] for a in answers} == {"open"}
    with service.client() as client:
        assert 'verdict="open"} 3.0' in client.get("/metrics").text


def test_a_worker_counts_with_the_others_of_its_home(service: Service) -> None:
    from flyball.enforcement.counters import Ask
    from serving.terms_book import TermsBook

    service.publish(entry("ent_1", 100, base=5))
    book = TermsBook(service.worker.answer, lambda: service.worker.reader.created_us)
    terms, _ = book.look_up("ent_1")
    elsewhere = SharedCounters(service.home.counters)
    for _ in range(5):
        assert elsewhere.admit(terms, Ask(), service.worker.now_us()).passes
    assert ask(service, "ent_1").status_code == 429
    elsewhere.close()
