"""The same for many accounts at once: a new owner, or a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from console.access.form import CheckedForm
from console.access.permission import Permission
from console.access.tenants import AccessibleTenant
from console.access.visitor import Signed, Visitor, signed_in_router
from console.design.display import plural
from console.design.flash import moved_on
from console.design.pages import page
from console.desk import Desk, desk_of
from console.say.filled import Filled, day_of, filled
from console.say.people import assignees, reached
from console.say.tasks import FIELDS, due_of
from console.standings.search import choices, one
from flyball.errors import InvalidInput
from flyball.identity import check_label

#: A page of the list has at most so many rows.
MOST = 200
_ADDRESS = "/console/bulk"
_NAMED = "tenant"


def routes() -> APIRouter:
    """What was ticked, and the two moves."""
    router = signed_in_router(Permission.BULK)

    @router.get(_ADDRESS)
    def choose(request: Request, visitor: Signed) -> Response:
        chosen = _some(visitor, request.query_params.getlist(_NAMED))
        if not chosen:
            return moved_on(request, "/console/", "Tick some accounts first.", good=False)
        return _page(request, visitor, chosen, Filled({"assignee": visitor.login}))

    @router.post(f"{_ADDRESS}/owner")
    def assign(request: Request, visitor: Signed, form: CheckedForm) -> Response:
        chosen, typed = _ticked(visitor, form), filled(form, ("owner",))
        try:
            changed = _assign(desk_of(request), visitor, chosen, typed)
        except InvalidInput as error:
            refused = typed.refused(error, ("owner",))
            return _page(request, visitor, chosen, refused, status=422)
        desk_of(request).standings.follow()
        told = f"{plural(changed, 'account')} went to {typed.value('owner')}."
        if changed < len(chosen):
            told += f" {plural(len(chosen) - changed, 'account')} had that owner already."
        return moved_on(request, "/console/", told)

    @router.post(f"{_ADDRESS}/task")
    def give(request: Request, visitor: Signed, form: CheckedForm) -> Response:
        chosen, typed, desk = _ticked(visitor, form), filled(form, FIELDS), desk_of(request)
        try:
            made = _give(desk, visitor, chosen, typed)
        except InvalidInput as error:
            return _page(request, visitor, chosen, typed.refused(error, FIELDS), status=422)
        desk.standings.follow()
        told = f"{plural(made, 'task')} for {typed.value('assignee')}."
        if made < len(chosen):
            told += f" {plural(len(chosen) - made, 'account')} left out: not theirs to see."
        return moved_on(request, "/console/", told)

    return router


def _ticked(visitor: Visitor, form: FormData) -> list[AccessibleTenant]:
    names = [item for item in form.getlist(_NAMED) if isinstance(item, str)]
    chosen = _some(visitor, names)
    if not chosen:
        raise InvalidInput("No account is ticked.", "Go back to the list and tick some.")
    return chosen


def _some(visitor: Visitor, names: Sequence[str]) -> list[AccessibleTenant]:
    return visitor.authoriser.some(visitor.accessible, names[:MOST])


def _assign(desk: Desk, visitor: Visitor, chosen: Sequence[AccessibleTenant], typed: Filled) -> int:
    """Give them an owner as of now; how many had another one."""
    owner = check_label(typed.value("owner"), field="owner")
    if owner not in _owners(desk, visitor):
        raise InvalidInput("No owner is chosen.", "Choose one of the list.", field="owner")
    now_us, changed = desk.now_us(), 0
    accounts = desk.ledger.accounts_as_of(now_us, [tenant.tenant_id for tenant in chosen])
    for account in accounts.values():
        if account.owner != owner:
            version = replace(account, owner=owner, effective_us=now_us, known_us=now_us)
            desk.ledger.put_account(version, author=visitor.login)
            changed += 1
    return changed


def _give(desk: Desk, visitor: Visitor, chosen: Sequence[AccessibleTenant], typed: Filled) -> int:
    """Make the task for those of them that the assignee sees; how many."""
    due_us, assignee = due_of(desk, typed), typed.value("assignee").lower()
    seen = reached(desk, visitor, assignee, chosen)
    if not seen:
        raise InvalidInput(
            f"{assignee} sees none of these accounts.", "Choose somebody who does.",
            field="assignee",
        )  # fmt: skip
    return desk.ledger.add_tasks(
        [tenant.tenant_id for tenant in seen], typed.value("title"), due_us=due_us,
        assignee=assignee, author=visitor.login, now_us=desk.now_us(),
    )  # fmt: skip


def _owners(desk: Desk, visitor: Visitor) -> list[str]:
    """Owners that the visitor sees accounts of, and everybody who may act."""
    known = set(choices(desk.standings, visitor.accessible).owner)
    return sorted(known | {login for login, _ in assignees(desk)}, key=str.casefold)


def _page(
    request: Request,
    visitor: Visitor,
    chosen: Sequence[AccessibleTenant],
    typed: Filled,
    status: int = 200,
) -> Response:
    desk = desk_of(request)
    return page(
        request, "say/bulk.html", visitor=visitor, status=status, typed=typed,
        rows=[one(desk.standings, tenant) for tenant in chosen], people=assignees(desk),
        owners=_owners(desk, visitor), today=day_of(desk.now_us()),
        currency=desk.standings.currency,
    )  # fmt: skip
