"""Routes of administration: users, the audit, guardrails and budgets, the kill switch."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.datastructures import FormData

from console.access.form import CheckedForm, text_of
from console.access.permission import Permission
from console.access.visitor import Signed, Visitor, signed_in_router
from console.administration import rules, trail, users
from console.design.flash import moved_on
from console.design.pages import page
from console.desk import Desk, desk_of
from console.standings.beside import beside_ledger
from flyball.errors import Conflict, FlyballError, InvalidInput, NotFound, Refused
from ledger.kill import engage_kill, kill_state, release_kill
from ledger.users import User


def routes() -> APIRouter:
    """Everything that administrators do, and the guardrails for all to see."""
    router = APIRouter()
    for part in (_users(), _audit(), _kill(), _changing_rules(), _seeing_rules()):
        router.include_router(part)
    return router


def _users() -> APIRouter:
    router = signed_in_router(Permission.ADMINISTER)

    @router.get("/console/users")
    def everybody(request: Request, visitor: Signed) -> Response:
        return _users_page(request, visitor, users.UserForm())

    @router.post("/console/users")
    def add(request: Request, visitor: Signed, form: CheckedForm) -> Response:
        desk, typed = desk_of(request), users.typed(_texts(form))
        try:
            user = users.add(desk.ledger, typed, author=visitor.login, now_us=desk.wall_us())
        except (InvalidInput, Conflict) as error:
            return _users_page(request, visitor, typed, error)
        return moved_on(request, f"/console/users/{user.user_id}", f"{user.name} may sign in.")

    @router.get("/console/users/{user_id}")
    def one(request: Request, visitor: Signed, user_id: str) -> Response:
        user = _user(desk_of(request), user_id)
        return _user_page(request, visitor, user, users.form_of(user), user.enabled)

    @router.post("/console/users/{user_id}")
    def change(request: Request, visitor: Signed, form: CheckedForm, user_id: str) -> Response:
        desk, typed = desk_of(request), users.typed(_texts(form))
        user, enabled = _user(desk, user_id), text_of(form, "enabled") == "1"
        try:
            users.change(
                desk.ledger, user, typed, enabled=enabled, author=visitor.login,
                now_us=desk.wall_us(),
            )  # fmt: skip
        except (InvalidInput, Refused) as error:
            return _user_page(request, visitor, user, typed, enabled, error)
        return moved_on(request, f"/console/users/{user_id}", f"{user.login} is changed.")

    return router


def _audit() -> APIRouter:
    router = signed_in_router(Permission.ADMINISTER)

    @router.get("/console/audit")
    def audit(request: Request, visitor: Signed) -> Response:
        state = trail.trail_state(request.query_params)
        with beside_ledger(desk_of(request).home, visitor.accessible) as beside:
            total = trail.count(beside, state)
            pages = max(1, -(-total // trail.SIZE))
            state = state.on_page(min(state.page, pages))
            found = trail.entries(beside, state)
            authors, actions = trail.choices(beside)
        return page(
            request, "administration/audit.html", visitor=visitor, state=state, total=total,
            pages=pages, entries=found,
            authors=[(name, name) for name in authors], actions=[(name, name) for name in actions],
        )  # fmt: skip

    @router.get("/console/audit.csv")
    def export(request: Request, visitor: Signed) -> Response:
        desk, state = desk_of(request), trail.trail_state(request.query_params).on_page(1)
        with beside_ledger(desk.home, visitor.accessible) as beside:
            found = trail.entries(beside, state, size=trail.MOST)
        desk.ledger.append_audit(
            now_us=desk.wall_us(), author=visitor.login, action="audit.export", target="audit",
            after=state.query,
        )  # fmt: skip
        return StreamingResponse(
            trail.csv_lines(found),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="flyball-audit.csv"'},
        )

    return router


def _seeing_rules() -> APIRouter:
    router = signed_in_router()

    @router.get("/console/guardrails")
    def seen(request: Request, visitor: Signed) -> Response:
        return _rules_page(request, visitor)

    return router


def _changing_rules() -> APIRouter:
    router = signed_in_router(Permission.ADMINISTER)

    @router.post("/console/guardrails")
    def change(request: Request, visitor: Signed, form: CheckedForm) -> Response:
        desk, typed = desk_of(request), _texts(form)
        seen = typed.get("version", "")
        try:
            version = rules.change(
                desk.ledger, typed, seen=int(seen) if seen.isdigit() else 0, author=visitor.login,
                reason=typed.get("reason", ""), now_us=desk.wall_us(),
            )  # fmt: skip
        except (InvalidInput, Conflict, Refused) as error:
            return _rules_page(request, visitor, typed, error)
        told = f"Version {version} is in force from the next round of decisions on."
        return moved_on(request, "/console/guardrails", told)

    return router


def _kill() -> APIRouter:
    router = signed_in_router(Permission.ADMINISTER)

    @router.get("/console/kill")
    def state(request: Request, visitor: Signed) -> Response:
        return _kill_page(request, visitor)

    @router.post("/console/kill")
    def move(request: Request, visitor: Signed, form: CheckedForm) -> Response:
        desk, reason = desk_of(request), text_of(form, "reason")
        engage = text_of(form, "move") == "on"
        if text_of(form, "sure") != "1":
            error = InvalidInput("Tick the box to confirm.", field="sure")
            return _kill_page(request, visitor, error, reason)
        act = engage_kill if engage else release_kill
        try:
            moved = act(
                desk.home, author=visitor.login, reason=reason, now_us=desk.wall_us(),
                log=desk.ledger,
            )  # fmt: skip
        except InvalidInput as error:
            return _kill_page(request, visitor, error, reason)
        on, off = "on: every multiplier is ×1 within a second.", "off: periods begin as decided."
        told = on if engage else off
        already = "" if moved else "already "
        return moved_on(request, "/console/kill", f"The kill switch is {already}{told}")

    return router


def _users_page(
    request: Request, visitor: Visitor, form: users.UserForm, error: FlyballError | None = None
) -> Response:
    desk = desk_of(request)
    return page(
        request, "administration/users.html", visitor=visitor, users=desk.ledger.users(),
        form=form, wrong=_wrong(error, "login"), roles=users.ROLES,
        status=200 if error is None else 422,
    )  # fmt: skip


def _user_page(
    request: Request,
    visitor: Visitor,
    user: User,
    form: users.UserForm,
    enabled: bool,
    error: FlyballError | None = None,
) -> Response:
    desk = desk_of(request)
    with beside_ledger(desk.home, visitor.authoriser.tenants_of(user)) as beside:
        seen = beside.rows("SELECT count(*) FROM standing WHERE {scope} AND left_us IS NULL")
    return page(
        request, "administration/user.html", visitor=visitor, user=user, form=form,
        enabled=enabled, wrong=_wrong(error, "role"), roles=users.ROLES, seen=int(seen[0][0]),
        status=200 if error is None else 422,
    )  # fmt: skip


def _rules_page(
    request: Request,
    visitor: Visitor,
    typed: dict[str, str] | None = None,
    error: FlyballError | None = None,
) -> Response:
    desk = desk_of(request)
    versions = desk.ledger.setting_versions(rules.NAME)
    return page(
        request, "administration/guardrails.html", visitor=visitor,
        groups=rules.rules_of(rules.in_force(desk.ledger), typed),
        shares=sorted(rules.in_force(desk.ledger).friction_share_by_segment.items()),
        versions=versions[-10:][::-1], seeded_by=rules.SEEDED_BY, wrong=_wrong(error, "all"),
        reason=(typed or {}).get("reason", ""), status=200 if error is None else 422,
    )  # fmt: skip


def _kill_page(
    request: Request, visitor: Visitor, error: FlyballError | None = None, reason: str = ""
) -> Response:
    desk = desk_of(request)
    with beside_ledger(desk.home, visitor.accessible) as beside:
        moved = beside.rows(
            "SELECT count(*) FROM standing WHERE {scope} AND left_us IS NULL AND arm <> 100"
        )[0][0]
        events = beside.rows(
            "SELECT at_us, engaged, author, reason FROM ledger.kill_event "
            "ORDER BY seq DESC LIMIT 10"
        )
    return page(
        request, "administration/kill.html", visitor=visitor, state=kill_state(desk.home),
        moved=int(moved), events=events, wrong=_wrong(error, "all"), reason=reason,
        status=200 if error is None else 422,
    )  # fmt: skip


def _user(desk: Desk, user_id: str) -> User:
    user = desk.ledger.user(user_id)
    if user is None:
        raise NotFound("There is no such user.", "Go back to the list of users.")
    return user


def _texts(form: FormData) -> dict[str, str]:
    return {name: text_of(form, name) for name in form}


def _wrong(error: FlyballError | None, otherwise: str) -> dict[str, str]:
    """The error by the field that it belongs to."""
    if error is None:
        return {}
    field = error.field if isinstance(error, InvalidInput) else None
    name = (field or otherwise).removeprefix("guardrails.")
    return {name: f"{error.message} {error.hint}".strip()}
