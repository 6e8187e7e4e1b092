"""The second pair of eyes: what waits for it, and what another person says."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access.form import CheckedForm, text_of
from console.access.permission import Permission
from console.access.visitor import NotAllowed, Signed, signed_in_router
from console.design.flash import moved_on
from console.design.pages import page
from console.desk import desk_of
from console.say.kinds import KINDS
from console.say.panel import account_address
from console.standings.search import one
from flyball.errors import Conflict, NotFound, Refused
from ledger.override_request import RequestState

ADDRESS = "/console/approvals"


def routes() -> APIRouter:
    """The list of what waits, and the verdict."""
    router = signed_in_router()

    @router.get(ADDRESS)
    def waiting(request: Request, visitor: Signed) -> Response:
        if not visitor.may(Permission.APPROVE):
            raise NotAllowed
        desk = desk_of(request)
        asked = desk.ledger.override_requests(waiting_at_us=desk.now_us())
        seen = visitor.authoriser.some(visitor.accessible, [item.tenant_id for item in asked])
        rows = {tenant.tenant_id: one(desk.standings, tenant) for tenant in seen}
        return page(
            request, "say/approvals.html", visitor=visitor, kinds=KINDS,
            requests=[(item, rows[item.tenant_id]) for item in asked if item.tenant_id in rows],
        )  # fmt: skip

    @router.post("/console/accounts/{tenant_id}/requests/{request_id}")
    def decide(
        request: Request, visitor: Signed, form: CheckedForm, tenant_id: str, request_id: str
    ) -> Response:
        tenant, desk = visitor.tenant(tenant_id), desk_of(request)
        asked = {
            item.request_id: item for item in desk.ledger.override_requests([tenant.tenant_id])
        }.get(request_id)
        if asked is None:
            raise NotFound("This account has no such request.", "Go back to it.")
        own = asked.author == visitor.login
        if not (visitor.may(Permission.APPROVE) or (own and visitor.may(Permission.ACT))):
            raise NotAllowed
        back = ADDRESS if text_of(form, "back") == ADDRESS else account_address(tenant)
        verdict = text_of(form, "verdict", most=16)
        if verdict not in ("approve", "withdraw" if own else "refuse"):
            return moved_on(request, back, "Choose to approve or to refuse it.", good=False)
        try:
            done = desk.ledger.decide_request(
                request_id, approved=verdict == "approve", author=visitor.login,
                now_us=desk.now_us(),
            )  # fmt: skip
        except (Conflict, Refused) as error:
            return moved_on(request, back, str(error), good=False)
        desk.standings.follow()
        return moved_on(request, back, _TOLD[done.state])

    return router


_TOLD = {
    RequestState.APPROVED: "Approved: the override holds. Gateways hear of it within two seconds.",
    RequestState.REFUSED: "Refused: nothing changes.",
    RequestState.WITHDRAWN: "Withdrawn: nothing changes.",
}
