"""Notes, contacts and feedback: what people write about one account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from console.access.form import CheckedForm
from console.access.permission import Permission
from console.access.tenants import AccessibleTenant
from console.access.visitor import Signed, Visitor, signed_in_router
from console.design.flash import moved_on
from console.design.pages import page
from console.desk import Desk, desk_of
from console.say.filled import Filled, day_of, day_start, filled
from console.say.panel import account_address
from console.standings.row import Standing
from console.standings.search import one
from flyball.errors import InvalidInput, NotFound
from flyball.instant import DAY_US, HOUR_US
from ledger.follow_up import Subject, Verdict
from ledger.prose import check_prose
from ledger.records import Intervention

#: What people did for an account: its kind in the ledger, and what it is called.
CONTACTS = (
    ("call", "Call"),
    ("meeting", "Meeting"),
    ("email", "E-mail"),
    ("training", "Training"),
    ("discount", "Discount"),
    ("other", "Something else"),
)
SUBJECTS = (
    (Subject.CHURN.value, "Churn risk"),
    (Subject.UPGRADE.value, "Upgrade chance"),
    (Subject.MULTIPLIER.value, "Multiplier"),
)
VERDICTS = (
    (Verdict.TOO_HIGH.value, "It is too high"),
    (Verdict.TOO_LOW.value, "It is too low"),
    (Verdict.WRONG_REASON.value, "Its reason is wrong"),
    (Verdict.RIGHT.value, "It is right"),
)
#: History that is logged later than this is imported rather than typed.
_OLDEST_US = 366 * DAY_US

Save = Callable[[Desk, Visitor, Standing, Filled], str]
Begin = Callable[[Desk], Filled]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One form: its address, template, fields, what it starts with and what sending it does."""

    path: str
    template: str
    fields: tuple[str, ...]
    begin: Begin
    save: Save


def routes() -> APIRouter:
    """Three forms, each a page; and taking a note back."""
    router = signed_in_router(Permission.ACT)
    for kind in (
        _Kind("notes", "say/note.html", ("text",), _nothing, _note),
        _Kind("contacts", "say/contact.html", ("kind", "day", "text"), _today, _contact),
        _Kind("feedback", "say/feedback.html", ("subject", "verdict", "reason"), _nothing, _judge),
    ):
        _form(router, kind)

    @router.post("/console/accounts/{tenant_id}/notes/{note_id}/withdraw")
    def withdraw(
        request: Request, visitor: Signed, form: CheckedForm, tenant_id: str, note_id: str
    ) -> Response:
        tenant, desk = visitor.tenant(tenant_id), desk_of(request)
        desk.ledger.withdraw_note(
            tenant.tenant_id, number(note_id), author=visitor.login, now_us=desk.now_us(),
            others=visitor.may(Permission.APPROVE),
        )  # fmt: skip
        desk.standings.follow()
        return moved_on(request, account_address(tenant), "The note is taken back.")

    return router


def number(text: str) -> int:
    """A row's number in an address; raises NotFound for anything else."""
    if text.isascii() and text.isdigit() and len(text) < 18:
        return int(text)
    raise NotFound("There is no such thing.", "Go back to the account.")


def _form(router: APIRouter, kind: _Kind) -> None:
    address = "/console/accounts/{tenant_id}/" + kind.path

    @router.get(address)
    def ask(request: Request, visitor: Signed, tenant_id: str) -> Response:
        tenant = visitor.tenant(tenant_id)
        return _shown(request, visitor, tenant, kind, kind.begin(desk_of(request)))

    @router.post(address)
    def put(request: Request, visitor: Signed, form: CheckedForm, tenant_id: str) -> Response:
        tenant, desk = visitor.tenant(tenant_id), desk_of(request)
        typed = filled(form, kind.fields)
        try:
            told = kind.save(desk, visitor, one(desk.standings, tenant), typed)
        except InvalidInput as error:
            refused = typed.refused(error, kind.fields)
            return _shown(request, visitor, tenant, kind, refused, status=422)
        desk.standings.follow()
        return moved_on(request, account_address(tenant), told)


def _shown(
    request: Request,
    visitor: Visitor,
    tenant: AccessibleTenant,
    kind: _Kind,
    typed: Filled,
    status: int = 200,
) -> Response:
    desk = desk_of(request)
    return page(
        request, kind.template, visitor=visitor, status=status, typed=typed,
        row=one(desk.standings, tenant), contacts=CONTACTS, subjects=SUBJECTS, verdicts=VERDICTS,
        today=day_of(desk.now_us()),
    )  # fmt: skip


def _nothing(desk: Desk) -> Filled:
    return Filled()


def _today(desk: Desk) -> Filled:
    return Filled({"day": day_of(desk.now_us())})


def _note(desk: Desk, visitor: Visitor, row: Standing, typed: Filled) -> str:
    desk.ledger.add_note(
        row.tenant_id, typed.value("text"), author=visitor.login, now_us=desk.now_us()
    )
    return "The note is kept."


def _contact(desk: Desk, visitor: Visitor, row: Standing, typed: Filled) -> str:
    kind, now_us = typed.value("kind"), desk.now_us()
    if kind not in dict(CONTACTS):
        raise InvalidInput("No kind is chosen.", "Choose what it was.", field="kind")
    start_us = day_start(typed.value("day"), field="day")
    if not now_us - _OLDEST_US <= start_us <= now_us:
        raise InvalidInput(
            "This day is in the future, or over a year ago.",
            "Log what has happened; plan what is to come as a task.",
            field="day",
        )
    # Noon stands for a day of the past; what happened today happened now.
    at_us = now_us if day_of(now_us) == typed.value("day") else start_us + 12 * HOUR_US
    new = desk.ledger.log_intervention(
        Intervention(
            tenant_id=row.tenant_id, time_us=at_us, known_us=now_us, kind=kind,
            note=check_prose(typed.value("text"), field="text", most=500),
        ),
        author=visitor.login,
    )  # fmt: skip
    return "It is logged; the models count it from now on." if new else "This was logged already."


def _judge(desk: Desk, visitor: Visitor, row: Standing, typed: Filled) -> str:
    if row.decision_id is None:
        raise InvalidInput(
            "Nothing has been decided for this account yet.", "Come back when it has.",
            field="subject",
        )  # fmt: skip
    try:
        subject = Subject(typed.value("subject"))
    except ValueError:
        raise InvalidInput("Nothing is chosen.", "Choose one.", field="subject") from None
    try:
        verdict = Verdict(typed.value("verdict"))
    except ValueError:
        raise InvalidInput("Nothing is chosen.", "Choose one.", field="verdict") from None
    shown = {Subject.CHURN: row.churn, Subject.UPGRADE: row.upgrade}.get(subject)
    desk.ledger.add_feedback(
        row.tenant_id, subject, verdict, reason=typed.value("reason"), author=visitor.login,
        now_us=desk.now_us(), decision_id=row.decision_id, model_version=row.model_version or "",
        probability=shown, served_arm=row.arm,
    )  # fmt: skip
    return "Thank you. It is kept beside the score for the data scientist."
