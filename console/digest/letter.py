"""One person's digest: their accounts that ask most for attention, what changed, tasks due."""

from __future__ import annotations

from dataclasses import dataclass

from console.access.tenants import AccessibleTenants, Authoriser
from console.design.display import ago, date, date_time, money, multiplier, percent, plural, points
from console.design.pages import templates
from console.desk import Desk
from console.standings.row import Standing
from console.standings.search import Filters, Summary, page_of, summary
from console.team.changed import Changed, changed
from ledger.users import User

#: Accounts that a digest names.
TOP = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a person's digest says; ``address`` is the console's, for links (may be empty)."""

    user: User
    now_us: int
    currency: str
    totals: Summary
    top: tuple[Standing, ...]
    found: Changed
    address: str

    @property
    def subject(self) -> str:
        """The mail's subject: no name of an account, since subjects show on locked screens."""
        return f"Flyball, {date(self.now_us)}: {plural(self.totals.count, 'account')}, {self.news}"

    @property
    def news(self) -> str:
        """What is new, in a few words."""
        parts = [
            (self.found.risen.count, "at higher risk"),
            (self.found.tightened.count, "tightened"),
            (len(self.found.due), "tasks due"),
        ]
        told = ", ".join(f"{count} {words}" for count, words in parts if count)
        return told or "nothing new"


def letter(desk: Desk, user: User) -> Letter:
    """The digest of the last day for ``user``, about the accounts that they see."""
    accessible = Authoriser(desk.standings).tenants_of(user)
    return letter_about(desk, user, accessible)


def letter_about(desk: Desk, user: User, accessible: AccessibleTenants) -> Letter:
    """The same where it is known already what they see."""
    now_us = desk.now_us()
    return Letter(
        user=user, now_us=now_us, currency=desk.standings.currency,
        totals=summary(desk.standings, accessible, Filters(), now_us),
        top=tuple(
            page_of(
                desk.standings, accessible, Filters(), order="attention", descending=True,
                limit=TOP, offset=0, now_us=now_us,
            )
        ),
        found=changed(desk, accessible, days=1), address=desk.settings.public_url.rstrip("/"),
    )  # fmt: skip


def html_of(told: Letter) -> str:
    """The mail's HTML: everything that is not ours is escaped."""
    return templates().get_template("digest/mail.html").render(letter=told, now_us=told.now_us)


def text_of(told: Letter) -> str:
    """The same as plain text; control characters cannot come in, line breaks are made blanks."""
    totals, found = told.totals, told.found
    lines = [
        f"Good morning {_line(told.user.name)},", "",
        f"{totals.count} accounts, {money(totals.arr_minor, told.currency)} a year, "
        f"{money(totals.at_risk_minor, told.currency)} of it expected to leave in 28 days; "
        f"{totals.under_friction} under friction. Today: {told.news}.", "",
    ]  # fmt: skip
    if told.top:
        lines += ["WHO ASKS FOR ATTENTION", *(_account(row, told) for row in told.top), ""]
    if found.risen.rows:
        lines += ["RISK HAS RISEN", *(_account(row, told) for row in found.risen.rows), ""]
    if found.due:
        lines += ["TASKS DUE"]
        lines += [
            f"- {ago(task.due_us, told.now_us)}: {_line(task.task)} ({_line(task.title)}, "
            f"{_line(task.assignee) or 'nobody'})"
            for task in found.due
        ] + [""]
    if found.happened:
        lines += ["WHAT HAPPENED"]
        lines += [f"- {_line(item.words)}: {_line(item.title)}" for item in found.happened] + [""]
    lines += [f"- {_line(item.words)} ({_line(item.author)})" for item in found.general]
    where = f" {told.address}/console/today" if told.address else " the console"
    lines += ["", f"More in{where}. As of {date_time(told.now_us)}."]
    return "\n".join(lines) + "\n"


def _account(row: Standing, told: Letter) -> str:
    change = f", {points(row.churn_change)} points" if row.churn_change else ""
    return (
        f"- {_line(row.title)}: risk {percent(row.churn)}{change}, "
        f"{money(row.arr_minor, told.currency)} a year, {multiplier(row.arm)}"
    )


def _line(text: str) -> str:
    return " ".join(text.split())
