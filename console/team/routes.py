"""Routes of the views over many accounts: each about those that the visitor sees."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access.visitor import Signed, signed_in_router
from console.administration.rules import in_force
from console.design.chart import bar_chart
from console.design.display import money, percent
from console.design.pages import page
from console.desk import desk_of
from console.standings.beside import beside_ledger
from console.team.changed import MOST, changed
from console.team.health import EDGES, FEWEST, health
from console.team.outcomes import WEEKS, comparison
from console.team.portfolio import GROUPS, holdings, overdraft, set_aside, together

#: Bars that a chart shows; its table has all.
_BARS = 8
DAYS = (1, 7, 28)


def routes() -> APIRouter:
    """Portfolio, what changed, model health."""
    router = signed_in_router()

    @router.get("/console/portfolio")
    def portfolio(request: Request, visitor: Signed) -> Response:
        desk = desk_of(request)
        now_us, rules = desk.now_us(), in_force(desk.ledger)
        by = request.query_params.get("by", "")
        by = by if by in GROUPS else "segment"
        currency = desk.standings.currency
        with beside_ledger(desk.home, visitor.accessible) as beside:
            parts = holdings(beside, by, now_us, desk.settings.bands.churn.high, rules)
            # Kept a minute by the machine's clock: the accounts' own may stand still.
            compared = desk.compared.of(
                visitor.accessible, desk.wall_us(), lambda: comparison(beside, now_us)
            )
            aside = desk.aside.of(
                visitor.accessible, desk.wall_us(), lambda: set_aside(beside, now_us)
            )
            spent = overdraft(aside, rules, visitor.accessible.everyone)
        return page(
            request, "team/portfolio.html", visitor=visitor, by=by, groups=GROUPS, holdings=parts,
            total=together(parts), overdraft=spent, compared=compared, weeks=WEEKS, rules=rules,
            currency=currency, chart=bar_chart(
                [part.name or "none" for part in parts[:_BARS]],
                [part.at_risk_minor for part in parts[:_BARS]],
            ),
            chart_rows=[
                (part.name or "none", money(part.at_risk_minor, currency),
                 percent(part.at_risk_minor / part.arr_minor if part.arr_minor else None))
                for part in parts
            ],
        )  # fmt: skip

    @router.get("/console/today")
    def today(request: Request, visitor: Signed) -> Response:
        desk = desk_of(request)
        asked = request.query_params.get("days", "")
        days = int(asked) if asked in {str(known) for known in DAYS} else DAYS[0]
        return page(
            request, "team/today.html", visitor=visitor, days=days, choices=DAYS, most=MOST,
            found=changed(desk, visitor.accessible, days=days), currency=desk.standings.currency,
        )  # fmt: skip

    @router.get("/console/model")
    def model(request: Request, visitor: Signed) -> Response:
        desk = desk_of(request)
        now_us = desk.now_us()
        with beside_ledger(desk.home, visitor.accessible) as beside:
            found = [health(beside, outcome, now_us) for outcome in EDGES]
            version = beside.rows(
                "SELECT model_version, count(*), max(scored_us) FROM standing WHERE {scope} "
                "AND left_us IS NULL AND model_version <> '' GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
            )
            doubted = beside.rows(
                "SELECT f.subject, f.verdict, count(*) FROM ledger.feedback f "
                "JOIN standing ON standing.tenant_id = f.tenant_id WHERE {scope} "
                "AND f.at_us > :since GROUP BY 1, 2 ORDER BY 3 DESC",
                {"since": now_us - 28 * 86_400_000_000},
            )
        return page(
            request, "team/model.html", visitor=visitor, found=found, fewest=FEWEST,
            version=version[0] if version else None, doubted=doubted,
        )  # fmt: skip

    return router
