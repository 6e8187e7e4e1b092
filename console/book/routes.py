"""Routes of My accounts."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from console.access.form import CheckedForm, text_of
from console.access.visitor import Signed, Visitor, signed_in_router
from console.book import attention
from console.book.columns import BY_KEY, COLUMNS
from console.book.export import csv_lines
from console.book.state import RENEWALS, SIZES, BookState, state_of
from console.design.band import Level
from console.design.flash import moved_on
from console.design.pages import page
from console.desk import Desk, desk_of
from console.standings.search import choices, every, page_of, summary
from ledger.users import SavedView

#: No export is longer.
MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class ViewLink:
    """A view in the row of views."""

    name: str
    link: str
    current: bool
    view_id: str = ""
    own: bool = False
    shared_by: str = ""


def routes() -> APIRouter:
    """The list, its export, and saved views."""
    router = signed_in_router()

    @router.get("/console/")
    def book(request: Request, visitor: Signed) -> Response:
        desk = desk_of(request)
        state = _state(request)
        now_us = desk.now_us()
        totals = summary(desk.standings, visitor.accessible, state.filters, now_us)
        pages = max(1, -(-totals.count // state.size))
        state = state.on_page(min(state.page, pages))
        rows = page_of(
            desk.standings, visitor.accessible, state.filters, order=state.order,
            descending=state.descending, limit=state.size,
            offset=(state.page - 1) * state.size, now_us=now_us,
        )  # fmt: skip
        answer = page(
            request, "book/list.html", visitor=visitor, state=state, rows=rows, totals=totals,
            pages=pages, columns=[BY_KEY[key] for key in state.columns], all_columns=COLUMNS,
            choices=choices(desk.standings, visitor.accessible), sizes=SIZES, renewals=RENEWALS,
            views=_views(desk, visitor, state), currency=desk.standings.currency,
            attention=attention, followed_us=desk.standings.followed_us, levels=_levels,
        )  # fmt: skip
        if request.headers.get("hx-request") == "true":
            answer.headers["HX-Push-Url"] = state.link
        return answer

    @router.get("/console/accounts.csv")
    def export(request: Request, visitor: Signed) -> Response:
        desk = desk_of(request)
        state, now_us = _state(request), desk.now_us()
        desk.ledger.append_audit(
            now_us=desk.wall_us(), author=visitor.login, action="book.export", target="accounts",
            after=state.query,
        )  # fmt: skip
        rows = every(
            desk.standings, visitor.accessible, state.filters, order=state.order,
            descending=state.descending, now_us=now_us, most=MOST_ROWS,
        )  # fmt: skip
        return StreamingResponse(
            csv_lines(rows, state.columns, now_us),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="flyball-accounts.csv"'},
        )

    @router.post("/console/views")
    def save(request: Request, visitor: Signed, form: CheckedForm) -> Response:
        state = state_of(dict(_pairs(text_of(form, "query"))))
        view = desk_of(request).ledger.save_view(
            visitor.user.user_id, text_of(form, "name", most=120), state.on_page(1).query,
            shared=text_of(form, "shared") == "1", now_us=desk_of(request).wall_us(),
        )  # fmt: skip
        told = "and shared with everybody" if view.shared else "for you"
        return moved_on(request, state.on_page(1).link, f"View “{view.name}” is kept {told}.")

    @router.post("/console/views/{view_id}/delete")
    def delete(request: Request, visitor: Signed, form: CheckedForm, view_id: str) -> Response:
        gone = desk_of(request).ledger.delete_view(visitor.user.user_id, view_id)
        told = "The view is gone." if gone else "There was no such view of yours."
        return moved_on(request, "/console/", told, good=gone)

    return router


def _levels(words: dict[Level, str]) -> list[tuple[str, str]]:
    """A band's levels as options of a choice."""
    return [(level.value, word) for level, word in words.items()]


def _state(request: Request) -> BookState:
    ticked = tuple(request.query_params.getlist("col"))
    bands = desk_of(request).settings.bands
    return state_of(request.query_params, columns=ticked, bands=bands)


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=False, max_num_fields=50)


def _views(desk: Desk, visitor: Visitor, state: BookState) -> list[ViewLink]:
    """The views everybody has, then the visitor's own and the shared ones."""
    everything = BookState(columns=state.columns, size=state.size)
    given = [
        ("All accounts", everything),
        ("High risk", everything.only(risk="high")),
        ("Under friction", everything.only(limit="tight")),
        ("More room", everything.only(limit="room")),
        ("Likely to upgrade", everything.only(upgrade="high")),
        ("Changed this week", everything.only(changed=True)),
        ("Renewals, 60 days", everything.only(renewal=60)),
        ("Tasks overdue", everything.only(task="overdue")),
    ]
    here = state.on_page(1).query
    links = [ViewLink(name, view.link, view.query == here) for name, view in given]
    names = {user.user_id: user.name for user in desk.ledger.users()}
    return links + [
        _saved(view, here, visitor.user.user_id, names)
        for view in desk.ledger.views_for(visitor.user.user_id)
    ]


def _saved(view: SavedView, here: str, user_id: str, names: dict[str, str]) -> ViewLink:
    state = state_of(dict(_pairs(view.query)))
    own = view.user_id == user_id
    return ViewLink(
        name=view.name, link=state.link, current=state.query == here, view_id=view.view_id,
        own=own, shared_by="" if own else names.get(view.user_id, "somebody"),
    )  # fmt: skip
