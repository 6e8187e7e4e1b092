"""Tasks of one account: made, changed, done, opened again."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access.form import CheckedForm
from console.access.permission import Permission
from console.access.tenants import AccessibleTenant
from console.access.visitor import Signed, Visitor, signed_in_router
from console.design.flash import moved_on
from console.design.pages import page
from console.desk import Desk, desk_of
from console.say.filled import Filled, day_end, day_of, filled
from console.say.follow_up import number
from console.say.panel import account_address
from console.say.people import assignees, reached
from console.standings.search import one
from flyball.errors import InvalidInput, Refused
from flyball.instant import DAY_US
from ledger.follow_up import Task, TaskState

FIELDS = ("title", "assignee", "due")
#: A task that is due later is not worth a line today.
_LATEST_US = 2 * 366 * DAY_US
_STATES = {"done": TaskState.DONE, "reopen": TaskState.OPEN}


def routes() -> APIRouter:
    """The form, its sending, the same for a task that is there, and what becomes of it."""
    router = signed_in_router(Permission.ACT)

    @router.get("/console/accounts/{tenant_id}/tasks")
    def ask(request: Request, visitor: Signed, tenant_id: str) -> Response:
        begin = Filled({"assignee": visitor.login})
        return _form(request, visitor, visitor.tenant(tenant_id), begin)

    @router.post("/console/accounts/{tenant_id}/tasks")
    def put(request: Request, visitor: Signed, form: CheckedForm, tenant_id: str) -> Response:
        tenant, desk = visitor.tenant(tenant_id), desk_of(request)
        typed = filled(form, FIELDS)
        try:
            _put(desk, visitor, tenant, typed)
        except InvalidInput as error:
            return _form(request, visitor, tenant, typed.refused(error, FIELDS), status=422)
        desk.standings.follow()
        return moved_on(request, account_address(tenant), "The task is kept.")

    @router.get("/console/accounts/{tenant_id}/tasks/{task_id}/edit")
    def look(request: Request, visitor: Signed, tenant_id: str, task_id: str) -> Response:
        tenant = visitor.tenant(tenant_id)
        task = desk_of(request).ledger.task(tenant.tenant_id, number(task_id))
        if task.state is not TaskState.OPEN:
            return moved_on(request, account_address(tenant), "It is done already.", good=False)
        typed = Filled({"title": task.title, "assignee": task.assignee, "due": _day(task)})
        return _form(request, visitor, tenant, typed, task=task)

    @router.post("/console/accounts/{tenant_id}/tasks/{task_id}/edit")
    def rewrite(
        request: Request, visitor: Signed, form: CheckedForm, tenant_id: str, task_id: str
    ) -> Response:
        tenant, desk = visitor.tenant(tenant_id), desk_of(request)
        typed, task = filled(form, FIELDS), desk.ledger.task(tenant.tenant_id, number(task_id))
        try:
            _rewrite(desk, visitor, tenant, typed, task)
        except InvalidInput as error:
            refused = typed.refused(error, FIELDS)
            return _form(request, visitor, tenant, refused, status=422, task=task)
        except Refused as error:
            return moved_on(request, account_address(tenant), str(error), good=False)
        desk.standings.follow()
        return moved_on(request, account_address(tenant), "The task is changed.")

    @router.post("/console/accounts/{tenant_id}/tasks/{task_id}")
    def change(
        request: Request, visitor: Signed, form: CheckedForm, tenant_id: str, task_id: str
    ) -> Response:
        tenant, desk = visitor.tenant(tenant_id), desk_of(request)
        state = _STATES.get(str(form.get("state", "")))
        if state is None:
            return moved_on(request, account_address(tenant), "Say whether it is done.", good=False)
        task = desk.ledger.change_task(
            tenant.tenant_id, number(task_id), author=visitor.login, now_us=desk.now_us(),
            state=state,
        )  # fmt: skip
        desk.standings.follow()
        told = "is done" if task.state is TaskState.DONE else "is open again"
        return moved_on(request, account_address(tenant), f"“{task.title}” {told}.")

    return router


def due_of(desk: Desk, typed: Filled) -> int | None:
    """When a task is due (the end of its day, µs); None where no date is given."""
    if not typed.value("due"):
        return None
    due_us = day_end(typed.value("due"), field="due")
    if not desk.now_us() < due_us < desk.now_us() + _LATEST_US:
        raise InvalidInput(
            "This day is over, or more than two years ahead.", "Choose today or a later day.",
            field="due",
        )  # fmt: skip
    return due_us


def _assignee(desk: Desk, visitor: Visitor, tenant: AccessibleTenant, typed: Filled) -> str:
    assignee = typed.value("assignee").lower()
    if not reached(desk, visitor, assignee, [tenant]):
        raise InvalidInput(
            f"{assignee} does not see this account.", "Choose somebody who does.", field="assignee"
        )
    return assignee


def _rewrite(
    desk: Desk, visitor: Visitor, tenant: AccessibleTenant, typed: Filled, task: Task
) -> None:
    if task.state is not TaskState.OPEN:
        raise Refused("This task is done.", "Open it again before you change it.")
    # A day that has passed may stay; only a new one must lie ahead.
    same_day = typed.value("due") == _day(task)
    desk.ledger.rewrite_task(
        tenant.tenant_id, task.task_id, title=typed.value("title"),
        due_us=task.due_us if same_day else due_of(desk, typed),
        assignee=_assignee(desk, visitor, tenant, typed), author=visitor.login,
        now_us=desk.now_us(),
    )  # fmt: skip


def _day(task: Task | None) -> str:
    """The last day that a task is not overdue; empty where it has no date."""
    return "" if task is None or task.due_us is None else day_of(task.due_us - 1)


def _put(desk: Desk, visitor: Visitor, tenant: AccessibleTenant, typed: Filled) -> None:
    due_us, assignee = due_of(desk, typed), _assignee(desk, visitor, tenant, typed)
    desk.ledger.add_tasks(
        [tenant.tenant_id], typed.value("title"), due_us=due_us, assignee=assignee,
        author=visitor.login, now_us=desk.now_us(),
    )  # fmt: skip


def _form(
    request: Request,
    visitor: Visitor,
    tenant: AccessibleTenant,
    typed: Filled,
    status: int = 200,
    task: Task | None = None,
) -> Response:
    desk = desk_of(request)
    today = day_of(desk.now_us())
    return page(
        request, "say/task.html", visitor=visitor, status=status, typed=typed, task=task,
        row=one(desk.standings, tenant), people=assignees(desk),
        least=min(today, _day(task) or today),
    )  # fmt: skip
