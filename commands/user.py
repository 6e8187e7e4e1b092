"""``flyball user``: who may sign in to the console."""

from __future__ import annotations

import json
import sys

import click

from commands.moment import wall_clock_us
from commands.signing_off import author_option
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.home import Home
from flyball.instant import format_instant
from ledger.sqlite_ledger import SqliteLedger
from ledger.users import EVERYTHING, Sees, SeesKind, User, UserRole, check_login, sees_from

_ROLES = click.Choice([role.value for role in UserRole])


@click.group()
def command() -> None:
    """Let people in to the console, and say what they see."""


@command.command("add")
@click.argument("login")
@click.option("--role", type=_ROLES, default=UserRole.CS.value, show_default=True)
@click.option(
    "--sees", multiple=True, metavar="RULE",
    help="all, owner=NAME, segment=NAME or region=NAME; several add up."
    "  [default: all for leads and admins, owner=LOGIN for others]",
)  # fmt: skip
@click.option("--name", default="", help="What the pages call them.")
@click.option("--email", default="", help="Where their daily digest goes.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--no-password", is_flag=True, help="They come through the identity provider only.")
@click.option("--subject", metavar="ISSUER|SUB", help="Who they are at the identity provider.")
@author_option
@click.pass_obj
def add(
    home: Home,
    *,
    login: str,
    role: str,
    sees: tuple[str, ...],
    name: str,
    email: str,
    password_stdin: bool,
    no_password: bool,
    subject: str | None,
    author: str,
) -> None:
    """Let LOGIN in; asks for a password."""
    from console.access.passwords import hash_password
    from ledger.sqlite_ledger import open_ledger

    login = check_login(login)
    rules = tuple(map(sees_from, sees)) or _usual(login, UserRole(role))
    with open_ledger(home) as ledger:
        if ledger.user_named(login) is None:
            stored = "" if no_password else hash_password(_password(password_stdin))
        else:
            stored = ""
        user = ledger.add_user(
            login, role=UserRole(role), sees=rules, name=name, email=email, password=stored,
            subject=_unused(ledger, login, subject), author=author, now_us=wall_clock_us(),
        )  # fmt: skip
    click.echo(f"{user.login}: {user.role.value}, sees {_seen(user)}")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def listing(home: Home, *, as_json: bool) -> None:
    """Everybody who may or might sign in."""
    from ledger.sqlite_ledger import read_ledger

    with read_ledger(home) as ledger:
        users = ledger.users()
    if as_json:
        click.echo(json.dumps([_document(user) for user in users]))
    elif not users:
        click.echo("Nobody may sign in yet: flyball user add LOGIN --role admin.")
    for user in () if as_json else users:
        state = "" if user.enabled else "  disabled"
        click.echo(f"{user.login:24} {user.role.value:7} {_seen(user)}{state}")


@command.command("change")
@click.argument("login")
@click.option("--role", type=_ROLES)
@click.option("--sees", multiple=True, metavar="RULE", help="Replaces what they see.")
@click.option("--name")
@click.option("--email")
@click.option(
    "--subject", metavar="ISSUER|SUB", help='Who they are at the identity provider; "" unlinks.'
)
@author_option
@click.pass_obj
def change(
    home: Home,
    *,
    login: str,
    role: str | None,
    sees: tuple[str, ...],
    name: str | None,
    email: str | None,
    subject: str | None,
    author: str,
) -> None:
    """Change LOGIN's role, name, address or what they see."""
    from ledger.sqlite_ledger import open_ledger

    with open_ledger(home) as ledger:
        user = ledger.change_user(
            _known(ledger, login).user_id, author=author, now_us=wall_clock_us(), name=name,
            email=email, role=None if role is None else UserRole(role),
            sees=tuple(map(sees_from, sees)) or None, subject=_unused(ledger, login, subject),
        )  # fmt: skip
    click.echo(f"{user.login}: {user.role.value}, sees {_seen(user)}")


@command.command("disable")
@click.argument("login")
@author_option
@click.pass_obj
def disable(home: Home, *, login: str, author: str) -> None:
    """Shut LOGIN out at once; what they did stays."""
    _enable(home, login, author, enabled=False)


@command.command("enable")
@click.argument("login")
@author_option
@click.pass_obj
def enable(home: Home, *, login: str, author: str) -> None:
    """Let a disabled LOGIN in again."""
    _enable(home, login, author, enabled=True)


@command.command("password")
@click.argument("login")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@author_option
@click.pass_obj
def password(home: Home, *, login: str, password_stdin: bool, author: str) -> None:
    """Give LOGIN another password and end their sessions."""
    from console.access.passwords import hash_password
    from ledger.sqlite_ledger import open_ledger

    with open_ledger(home) as ledger:
        user = _known(ledger, login)
        stored = hash_password(_password(password_stdin))
        ledger.set_password(user.user_id, stored, author=author, now_us=wall_clock_us())
    click.echo(f"{user.login} has another password; every session of theirs has ended.")


def _enable(home: Home, login: str, author: str, *, enabled: bool) -> None:
    from ledger.sqlite_ledger import open_ledger

    with open_ledger(home) as ledger:
        user = ledger.change_user(
            _known(ledger, login).user_id, author=author, now_us=wall_clock_us(), enabled=enabled
        )
    click.echo(f"{user.login} may {'' if enabled else 'no longer '}sign in.")


def _known(ledger: SqliteLedger, login: str) -> User:
    user = ledger.user_named(login)
    if user is None:
        raise NotFound(f"There is no user {login[:64]!r}.", "See flyball user list.")
    return user


def _unused(ledger: SqliteLedger, login: str, subject: str | None) -> str | None:
    """The subject, if nobody else has it."""
    if not subject:
        return subject
    if "|" not in subject.strip("|"):
        raise InvalidInput(
            f"{subject[:200]!r} is no subject.",
            'Write issuer and sub, as in "https://id.example.com|00u1"; the sign-in page shows it.',
            field="subject",
        )
    other = ledger.user_of_subject(subject)
    if other is not None and other.login != login.strip().lower():
        raise Conflict(
            f"{other.login} has this subject.",
            f'Unlink it first: flyball user change {other.login} --subject "".',
        )
    return subject


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise InvalidInput(
            "A password is needed, and there is no terminal to ask on.",
            "Use --password-stdin, or --no-password with an identity provider.",
            field="password",
        )
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _usual(login: str, role: UserRole) -> tuple[Sees, ...]:
    return EVERYTHING if role in (UserRole.LEAD, UserRole.ADMIN) else (Sees(SeesKind.OWNER, login),)


def _seen(user: User) -> str:
    return ", ".join(map(str, user.sees)) or "nothing"


def _document(user: User) -> dict[str, object]:
    return {
        "login": user.login,
        "name": user.name,
        "email": user.email,
        "role": user.role.value,
        "sees": [str(rule) for rule in user.sees],
        "subject": user.subject,
        "createdAt": format_instant(user.created_us),
        "disabledAt": None if user.disabled_us is None else format_instant(user.disabled_us),
    }
