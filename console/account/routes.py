"""The route of an account's page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access.visitor import Signed, signed_in_router
from console.account.sentence import sentence
from console.account.similar import RULE, similar
from console.account.timeline import entries, weeks
from console.account.usage import BLOCKED, DAYS, usage_view
from console.account.what_if import possibilities
from console.account.why import factors, readings
from console.book.attention import flags
from console.design.chart import Line, line_chart
from console.design.display import date, multiplier, percent
from console.design.pages import page
from console.desk import Desk, desk_of
from console.say.panel import panel_of
from console.standings.row import Standing
from console.standings.search import one
from flyball.errors import FlyballError
from flyball.money import TenantMoney, tenant_money
from ledger.explanations import Explained, Explanations
from ledger.kill import kill_state

#: Decisions that the history shows: half a year of weeks.
_HISTORY = 26
_HAPPENINGS = 60


def routes() -> APIRouter:
    """The account's page."""
    router = signed_in_router()

    @router.get("/console/accounts/{tenant_id}")
    def account(request: Request, visitor: Signed, tenant_id: str) -> Response:
        desk = desk_of(request)
        tenant = visitor.tenant(tenant_id)
        row = one(desk.standings, tenant)
        now_us = desk.now_us()
        explained = _explained(desk, row)
        history = desk.ledger.decision_history(tenant.tenant_id, limit=_HISTORY)
        past = weeks(history)
        meters = [row.meter, BLOCKED] if row.meter else [BLOCKED]
        days = desk.usage.days(tenant.tenant_id, meters, end_us=now_us, days=DAYS)
        usage = usage_view(days, row, history, now_us)
        return page(
            request, "account/page.html", visitor=visitor, row=row,
            told=sentence(row, killed=kill_state(desk.home) is not None),
            currency=desk.standings.currency, flags=flags(row, now_us),
            churn_factors=factors(explained, "churn"), usage=usage,
            upgrade_factors=factors(explained, "upgrade"), readings=readings(explained),
            explained=explained, past=past,
            scored=sum(week.churn is not None for week in past), table_of_arms=[
                (date(week.start_us), multiplier(week.arm), week.reason) for week in past[::-1]
            ],
            table_of_chances=[
                (date(week.start_us), percent(week.churn), percent(week.upgrade))
                for week in past[::-1]
            ],
            arms_chart=line_chart(
                [Line("Multiplier", [week.arm / 100 for week in past], 1)],
                [date(week.start_us).rsplit(" ", 1)[0] for week in past], height=150,
            ),
            chances_chart=line_chart(
                [
                    Line("Churn risk", [_percent(week.churn) for week in past], 2),
                    Line("Upgrade chance", [_percent(week.upgrade) for week in past], 1),
                ],
                [date(week.start_us).rsplit(" ", 1)[0] for week in past], height=180,
            ),
            happened=entries(
                desk.ledger.happenings(tenant.tenant_id, now_us=now_us, most=_HAPPENINGS)
            ),
            arms=possibilities(
                explained.current.arms if explained else (), served=row.arm,
                limit_under=row.limit_under, money=_money(desk, row, now_us),
                economics=desk.ledger.economics(now_us), weekly_demand=usage.weekly_demand,
            ),
            say=panel_of(desk, tenant),
            alike=similar(desk.standings, visitor.accessible, row), alike_rule=RULE,
        )  # fmt: skip

    return router


def _explained(desk: Desk, row: Standing) -> Explained | None:
    """What the current decision was based on; None without a model, or from another decision."""
    if not desk.home.explanations.exists():
        return None
    try:
        with Explanations(desk.home.explanations, read_only=True) as explanations:
            found = explanations.of(row.tenant_id)
    except FlyballError:
        # The file is being made anew; the page says that there is no explanation yet.
        return None
    return found if found is not None and found.current.decision_id == row.decision_id else None


def _money(desk: Desk, row: Standing, now_us: int) -> TenantMoney | None:
    economics = desk.ledger.economics(now_us)
    if economics is None:
        return None
    account = desk.ledger.account(row.tenant_id, now_us)
    return tenant_money(account, desk.ledger.plans_as_of(now_us), economics)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share
