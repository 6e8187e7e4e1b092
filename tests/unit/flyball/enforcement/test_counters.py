"""Counters: each tenant its own, all or nothing, quotas with a soft end, exact after a change."""

from __future__ import annotations

from flyball.enforcement.counters import Ask, Counters, queue_refusal, slots_weight
from flyball.enforcement.terms import EndpointTerms, LimitTerms, Terms
from flyball.instant import SECOND_US, parse_instant
from flyball.limit import LimitKind

NOW = parse_instant("2026-01-15T12:00:00Z")


def rate(limit: int = 100, *endpoints: EndpointTerms) -> LimitTerms:
    return LimitTerms(
        meter="api.requests",
        kind=LimitKind.RATE,
        limit=limit,
        window_seconds=60,
        endpoints=endpoints,
    )


def quota(
    limit: int, *, meter: str = "ai.tokens", soft: int | None = None, paid: bool = False
) -> LimitTerms:
    return LimitTerms(
        meter=meter,
        kind=LimitKind.QUOTA,
        limit=limit,
        window_seconds=30 * 86_400,
        soft=soft,
        paid=paid,
    )


def terms(*limits: LimitTerms, tenant: str = "ent_1", since_us: int | None = None) -> Terms:
    return Terms(tenant_id=tenant, limits=limits, source="fresh", since_us=since_us)


def passing(counters: Counters, of: Terms, now_us: int, ask: Ask | None = None) -> int:
    """How many requests in a row pass."""
    count = 0
    while counters.admit(of, ask or Ask(), now_us).passes:
        count += 1
    return count


def test_tightening_in_mid_window_allows_exactly_what_is_left_of_the_smaller_limit() -> None:
    counters = Counters()
    for _ in range(60):
        counters.admit(terms(rate(100)), Ask(), NOW)
    assert passing(counters, terms(rate(70)), NOW) == 10
    assert passing(counters, terms(rate(50)), NOW) == 0


def test_relaxing_in_mid_window_allows_exactly_the_difference() -> None:
    counters = Counters()
    assert passing(counters, terms(rate(100)), NOW) == 100
    assert passing(counters, terms(rate(130)), NOW) == 30


def test_a_change_that_is_seen_late_counts_from_when_it_came_into_force() -> None:
    counters = Counters()
    assert passing(counters, terms(rate(120)), NOW) == 120
    # 15 s at 120 a minute drain 30, then 15 s at 60 a minute drain 15: 75 are still in use.
    later = terms(rate(60), since_us=NOW + 15 * SECOND_US)
    seen = counters.admit(later, Ask(), NOW + 30 * SECOND_US)
    assert seen.retry_after_seconds == 16


def test_two_tenants_never_share_a_counter() -> None:
    counters = Counters()
    assert passing(counters, terms(rate(5)), NOW) == 5
    assert passing(counters, terms(rate(5), tenant="ent_2"), NOW) == 5


def test_a_request_refused_by_one_limit_counts_towards_none() -> None:
    counters = Counters()
    both = terms(rate(100), quota(10, meter="exports"))
    ask = Ask(units={"exports": 1})
    assert passing(counters, both, NOW, ask) == 10
    assert passing(counters, terms(rate(100)), NOW) == 90


def test_what_was_given_back_can_be_used() -> None:
    counters = Counters()
    both, ask = terms(rate(3), quota(3)), Ask(units={"ai.tokens": 1})
    assert passing(counters, both, NOW, ask) == 3
    counters.give_back(both, ask)
    assert passing(counters, both, NOW, ask) == 1


def test_an_allowance_slows_above_its_soft_share_and_stops_at_its_end() -> None:
    counters = Counters(longest_delay_us=100)
    of = terms(quota(10, soft=80))
    delays = [counters.admit(of, Ask(units={"ai.tokens": 1}), NOW).delay_us for _ in range(10)]
    assert delays == [0] * 8 + [50, 100]
    verdict = counters.admit(of, Ask(units={"ai.tokens": 1}), NOW)
    assert not verdict.passes


def test_an_allowance_is_whole_again_when_the_calendar_month_ends() -> None:
    counters = Counters()
    of, ask = terms(quota(10)), Ask(units={"ai.tokens": 10})
    assert counters.admit(of, ask, NOW).passes
    refused = counters.admit(of, ask, NOW)
    ends = parse_instant("2026-02-01T00:00:00Z")
    assert refused.retry_after_seconds == (ends - NOW) // SECOND_US
    assert not counters.admit(of, ask, ends - 1).passes
    assert counters.admit(of, ask, ends).passes


def test_a_clock_that_goes_back_hands_no_allowance_out_again() -> None:
    counters = Counters()
    of = terms(quota(3))
    ask = Ask(units={"ai.tokens": 1})
    next_month = parse_instant("2026-02-01T00:00:00Z")
    assert passing(counters, of, next_month, ask) == 3
    assert passing(counters, of, next_month - SECOND_US, ask) == 0
    assert passing(counters, of, next_month + SECOND_US, ask) == 0


def test_what_is_refused_is_refused_at_once() -> None:
    counters = Counters(longest_delay_us=100)
    used_up = Ask(units={"ai.tokens": 9})
    assert counters.admit(terms(rate(1), quota(10, soft=50)), used_up, NOW).delay_us == 80
    # The allowance would still slow it down, but now its rate refuses it.
    touched = Ask(units={"ai.tokens": 0})
    refused = counters.look(terms(rate(1), quota(10, soft=50)), touched, NOW)
    assert (refused.passes, refused.delay_us) == (False, 0)
    assert counters.look(terms(rate(2), quota(10, soft=50)), touched, NOW).delay_us == 80


def test_raising_an_allowance_keeps_what_is_used() -> None:
    counters = Counters()
    ask = Ask(units={"ai.tokens": 1})
    assert passing(counters, terms(quota(10)), NOW, ask) == 10
    assert passing(counters, terms(quota(13)), NOW, ask) == 3
    assert passing(counters, terms(quota(7)), NOW, ask) == 0


def test_what_is_known_only_afterwards_stops_the_next_request() -> None:
    counters = Counters()
    of, ask = terms(quota(100)), Ask(units={"ai.tokens": 0})
    assert counters.admit(of, ask, NOW).passes
    counters.charge(of, "ai.tokens", 250, NOW)
    assert not counters.admit(of, ask, NOW).passes


def test_payment_is_asked_for_only_where_the_plan_says_so() -> None:
    ask = Ask(units={"ai.tokens": 11})
    assert Counters().admit(terms(quota(10)), ask, NOW).status == 429
    assert Counters().admit(terms(quota(10, paid=True)), ask, NOW).status == 402
    slow = terms(rate(1), quota(10, paid=True))
    counters = Counters()
    counters.admit(slow, Ask(), NOW)
    assert counters.admit(slow, ask, NOW).status == 429  # the pace says no as well


def test_an_allowance_outlives_a_restart() -> None:
    counters, ask = Counters(), Ask(units={"ai.tokens": 1})
    assert passing(counters, terms(quota(10)), NOW, ask) == 10
    restarted = Counters()
    restarted.resume_allowances(counters.kept_allowances())
    assert passing(restarted, terms(quota(12)), NOW, ask) == 2


def test_storage_refuses_what_would_not_fit_and_nothing_else() -> None:
    storage = terms(LimitTerms(meter="storage.bytes", kind=LimitKind.STORAGE, limit=100, soft=80))
    counters = Counters(longest_delay_us=1000)

    def adding(more: int, stored: int) -> Ask:
        return Ask(method="PUT", units={"storage.bytes": more}, stored={"storage.bytes": stored})

    assert counters.admit(storage, adding(10, 70), NOW).delay_us == 0
    assert counters.admit(storage, adding(10, 80), NOW).delay_us == 500
    refused = counters.admit(storage, adding(1, 100), NOW)
    assert (refused.status, refused.retry_after_seconds) == (429, None)
    assert counters.admit(storage, adding(0, 150), NOW).passes
    assert counters.admit(storage, Ask(), NOW).passes


def test_an_endpoint_has_its_weight_and_its_own_limit() -> None:
    exports = EndpointTerms(pattern="POST /v1/exports", weight=10, limit=3)
    free = EndpointTerms(pattern="/health*", weight=0)
    of = terms(rate(100, exports, free))
    counters = Counters()
    ask = Ask(method="POST", path="/v1/exports")
    assert passing(counters, of, NOW, ask) == 3
    assert counters.admit(of, ask, NOW).refused_by[0].policy == "api.requests POST /v1/exports"
    assert passing(counters, of, NOW) == 70
    assert counters.admit(of, Ask(path="/healthz"), NOW).passes


def test_the_longest_pattern_wins_then_the_one_that_names_a_method() -> None:
    of = rate(
        100,
        EndpointTerms(pattern="/v1/*", weight=2),
        EndpointTerms(pattern="/v1/search*", weight=3),
        EndpointTerms(pattern="POST /v1/search*", weight=4),
        EndpointTerms(pattern="/v1/search", weight=5),
    )
    weights = [
        slots_weight(of, Ask(method=method, path=path))
        for method, path in (
            ("GET", "/v1/a"),
            ("GET", "/v1/search/x"),
            ("POST", "/v1/search/x"),
            ("GET", "/v2"),
        )
    ]
    assert weights == [2, 3, 4, 1]


def test_a_share_of_a_limit_is_rounded_up() -> None:
    assert passing(Counters(share=3), terms(rate(10)), NOW) == 4


def test_forgetting_idle_counters_changes_nothing() -> None:
    counters = Counters()
    of = terms(rate(60), quota(10))
    ask = Ask(units={"ai.tokens": 4})
    assert counters.admit(of, ask, NOW).passes
    assert len(counters) == 2
    counters.forget_idle(NOW)
    assert len(counters) == 2
    counters.forget_idle(NOW + SECOND_US)  # the bucket has drained, the allowance runs on
    assert len(counters) == 1
    assert counters.admit(of, ask, NOW + SECOND_US).states[1].remaining == 2


def test_a_tenant_without_limits_passes_and_leaves_no_trace() -> None:
    counters = Counters()
    assert counters.admit(terms(), Ask(units={"ai.tokens": 5}), NOW).passes
    assert len(counters) == 0


def test_a_full_queue_is_a_matter_of_pace() -> None:
    limit = LimitTerms(meter="workflows.concurrent", kind=LimitKind.CONCURRENCY, limit=2)
    verdict = queue_refusal(terms(limit), limit)
    assert (verdict.status, verdict.retry_after_seconds) == (429, 1)
