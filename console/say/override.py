"""Setting and ending overrides, alone or with a second pair of eyes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access.form import CheckedForm, text_of
from console.access.permission import Permission
from console.access.tenants import AccessibleTenant
from console.access.visitor import Signed, Visitor, signed_in_router
from console.design.flash import moved_on
from console.design.pages import page
from console.desk import Desk, desk_of
from console.say.filled import Filled, day_end, day_of, filled
from console.say.kinds import KINDS, arms_for, needs_eyes
from console.say.panel import account_address
from console.standings.search import one
from flyball.arm import parse_arm
from flyball.errors import FlyballError, InvalidInput, NotFound, Refused
from flyball.instant import DAY_US
from flyball.override import OverrideKind

FIELDS = ("kind", "arm", "until", "reason")
#: What the date field starts with.
_USUAL_DAYS = 7


def routes() -> APIRouter:
    """The form, its sending, and the way back."""
    router = signed_in_router(Permission.ACT)

    @router.get("/console/accounts/{tenant_id}/override")
    def ask(request: Request, visitor: Signed, tenant_id: str) -> Response:
        until = day_of(desk_of(request).now_us() + _USUAL_DAYS * DAY_US)
        return _form(request, visitor, visitor.tenant(tenant_id), Filled({"until": until}))

    @router.post("/console/accounts/{tenant_id}/override")
    def put(request: Request, visitor: Signed, form: CheckedForm, tenant_id: str) -> Response:
        tenant, typed = visitor.tenant(tenant_id), filled(form, FIELDS)
        try:
            told = _put(desk_of(request), visitor, tenant, typed)
        except InvalidInput as error:
            named = {"expires": "until"}.get(error.field, error.field)
            found = InvalidInput(error.message, error.hint, field=named)
            return _form(request, visitor, tenant, typed.refused(found, FIELDS), status=422)
        return moved_on(request, account_address(tenant), told)

    @router.post("/console/accounts/{tenant_id}/override/{override_id}/end")
    def end(
        request: Request, visitor: Signed, form: CheckedForm, tenant_id: str, override_id: str
    ) -> Response:
        tenant, desk = visitor.tenant(tenant_id), desk_of(request)
        known = {item.override_id for item in desk.ledger.overrides([tenant.tenant_id])}
        if override_id not in known:
            raise NotFound("This account has no such override.", "Go back to it.")
        try:
            desk.ledger.end_override(
                override_id, author=visitor.login, now_us=desk.now_us(),
                reason=text_of(form, "reason", most=256),
            )  # fmt: skip
        except FlyballError as error:
            return moved_on(request, account_address(tenant), str(error), good=False)
        desk.standings.follow()
        return moved_on(
            request, account_address(tenant),
            "The override has ended. Gateways hear of it within two seconds.",
        )  # fmt: skip

    return router


def _put(desk: Desk, visitor: Visitor, tenant: AccessibleTenant, typed: Filled) -> str:
    """Set the override, or ask for it; what to tell."""
    kind, arm = _wanted(desk, tenant, typed)
    now_us = desk.now_us()
    if not typed.value("reason"):
        raise InvalidInput(
            "A reason is missing.", "Say why: whoever comes next reads it.", field="reason"
        )
    expires_us = day_end(typed.value("until"), field="until")
    ask = needs_eyes(desk.settings.second_pair_of_eyes, kind)
    put = desk.ledger.request_override if ask else desk.ledger.add_override
    put(
        tenant.tenant_id, kind, author=visitor.login, reason=typed.value("reason"), now_us=now_us,
        expires_us=expires_us, arm=arm,
    )  # fmt: skip
    desk.standings.follow()
    if ask:
        return "Asked for. It holds as soon as another lead or administrator approves it."
    return "The override is set. Gateways hear of it within two seconds."


def _wanted(desk: Desk, tenant: AccessibleTenant, typed: Filled) -> tuple[OverrideKind, int | None]:
    try:
        kind = OverrideKind(typed.value("kind"))
    except ValueError:
        raise InvalidInput("No kind is chosen.", "Choose one of the four.", field="kind") from None
    if kind is not OverrideKind.CHOOSE:
        return kind, None
    arm = parse_arm(typed.value("arm")) if typed.value("arm") else None
    if arm not in arms_for(desk, one(desk.standings, tenant)):
        raise InvalidInput(
            "This multiplier is not offered." if arm else "No multiplier is chosen.",
            "Choose one of the list: the others would break the contract limit.",
            field="arm",
        )  # fmt: skip
    return kind, arm


def _form(
    request: Request, visitor: Visitor, tenant: AccessibleTenant, typed: Filled, status: int = 200
) -> Response:
    desk = desk_of(request)
    row = one(desk.standings, tenant)
    if row.left_us is not None:
        raise Refused("This account has left.", "There is nothing to override.")
    mode = desk.settings.second_pair_of_eyes
    return page(
        request, "say/override.html", visitor=visitor, status=status, row=row, typed=typed,
        kinds=KINDS, arms=arms_for(desk, row), today=day_of(desk.now_us()),
        eyes=[kind.value for kind in KINDS if needs_eyes(mode, kind)],
    )  # fmt: skip
