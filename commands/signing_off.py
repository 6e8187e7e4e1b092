"""Options of commands that need a person's name and reason."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ledger.people import check_said

_Command = TypeVar("_Command", bound=Callable[..., Any])


def current_author() -> str:
    """The login name, which is what an author is unless somebody says otherwise."""
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise click.UsageError("Say who you are with --author or FLYBALL_AUTHOR.") from error


def author_option(command: _Command) -> _Command:
    """``--author``: who does it; checked, never blank."""
    return click.option(
        "--author",
        envvar="FLYBALL_AUTHOR",
        show_envvar=True,
        default=current_author,
        show_default="login name",
        callback=_said,
        help="Who does it; goes into the audit trail.",
    )(command)


def reason_option(command: _Command) -> _Command:
    """``--reason``: why; mandatory, never blank."""
    return click.option(
        "--reason", required=True, callback=_said, help="Why; goes into the audit trail."
    )(command)


def at_option(command: _Command) -> _Command:
    """``--at``: the time it counts from, for replays and simulations."""
    return click.option(
        "--at", metavar="TIME", help="Time it counts from, RFC 3339.  [default: now]"
    )(command)


def _said(_: click.Context, option: click.Parameter, value: str) -> str:
    return check_said(value, field=option.name or "")
