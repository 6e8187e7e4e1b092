"""``flyball digest``: what each person should look at today, printed or mailed."""

from __future__ import annotations

import os

import click

from flyball.errors import FlyballError, InvalidInput, NotFound
from flyball.home import Home
from ledger.users import User

_PASSWORD = "FLYBALL_SMTP_PASSWORD"  # noqa: S105 - a name, not the secret


@click.command("digest")
@click.option("--user", "login", help="One person's only.")
@click.option("--send", is_flag=True, help="Mail them, each once a day. [default: print the text]")
@click.option("--again", is_flag=True, help="Also to those who have had today's.")
@click.pass_obj
def command(home: Home, *, login: str | None, send: bool, again: bool) -> None:
    """Tell everybody what changed for their accounts; run it daily with --send."""
    from console.digest.letter import letter, text_of
    from console.digest.mail import mail_server, message_of
    from console.digest.settings import mail_settings_from
    from console.process import open_desk
    from console.settings import console_settings_from
    from ledger.sqlite_ledger import read_ledger
    from serving.clock import EventClock, wall_us
    from serving.settings import load_settings

    settings = load_settings(home.settings)
    mail = mail_settings_from(settings.console)
    if send and not mail.host:
        raise InvalidInput(
            "No mail server is set up.", "Write [console.mail] host and sender in flyball.toml.",
            field="console.mail.host",
        )  # fmt: skip
    with read_ledger(home) as ledger:
        people = _people(ledger.users(), login)
    now_us = EventClock(home).now_us if settings.decisions.clock.value == "events" else wall_us
    failed = 0
    with open_desk(home, console_settings_from(settings.console), now_us) as desk:
        if not send:
            for user in people:
                click.echo(text_of(letter(desk, user)))
            return
        with mail_server(mail, os.environ.get(_PASSWORD, "")) as server:
            for user in people:
                if not user.email or (not again and _had(desk.ledger, user, wall_us())):
                    continue
                try:
                    server.send_message(message_of(letter(desk, user), mail))
                except (FlyballError, OSError) as error:
                    failed += 1
                    click.echo(f"flyball: not to {user.login}: {error}", err=True)
                    continue
                desk.ledger.append_audit(
                    now_us=wall_us(), author="flyball", action="digest.send", target=_of(user)
                )
                click.echo(f"Sent to {user.login}.")
    if failed:
        raise SystemExit(1)


def _people(users: list[User], login: str | None) -> list[User]:
    found = [user for user in users if user.enabled and login in (None, user.login)]
    if login is not None and not found:
        raise NotFound(f"Nobody called {login} may sign in.", "See flyball user list.")
    return found


def _of(user: User) -> str:
    return f"digest:{user.login}"


def _had(ledger: object, user: User, now_us: int) -> bool:
    """Whether they have had a digest on this day (UTC)."""
    from flyball.instant import DAY_US
    from ledger.sqlite_ledger import SqliteLedger

    assert isinstance(ledger, SqliteLedger)
    last = ledger.audit(target=_of(user), limit=1)
    return bool(last) and last[0].at_us // DAY_US == now_us // DAY_US
