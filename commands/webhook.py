"""``flyball webhook``: the secret that messages are signed with, and a message to try it."""

from __future__ import annotations

import click

from commands.moment import wall_clock_us
from flyball.errors import InvalidInput, Refused
from flyball.home import Home
from flyball.instant import SECOND_US


@click.group()
def command() -> None:
    """Show or change the webhooks' secret, or post a message to try it."""


@command.command("secret")
@click.option("--rotate", is_flag=True, help="Make a new one; the one before goes on signing too.")
@click.pass_obj
def secret(home: Home, *, rotate: bool) -> None:
    """Print the secret that the receiver needs; made at first use."""
    from serving.webhooks.secret_file import ensure_secrets, rotate_secret

    kept = rotate_secret(home.webhook_secrets) if rotate else ensure_secrets(home.webhook_secrets)
    if len(kept) > 1:
        click.echo("Messages are signed with the secret before this one too.", err=True)
    click.echo(kept[0].text())


@command.command("test")
@click.pass_obj
def test(home: Home) -> None:
    """Post one message now and say what the receiver answered; ends with 3 if it was not taken."""
    from serving.settings import load_settings
    from serving.webhooks.endpoint import check_url
    from serving.webhooks.event import Event, message_of
    from serving.webhooks.post import post
    from serving.webhooks.secret_file import ensure_secrets
    from serving.webhooks.signature import headers

    settings = load_settings(home.settings).webhooks
    if not settings.url:
        raise InvalidInput(
            "There is no webhook address.",
            'Put [webhooks] url = "https://..." into flyball.toml.',
            field="webhooks.url",
        )
    now_us = wall_clock_us()
    message = message_of(
        Event(
            type="webhook.test",
            key="1",
            at_us=now_us,
            data={"message": "This is a test. Nothing has happened."},
        )
    )
    body = message.body.encode()
    keys = ensure_secrets(home.webhook_secrets)
    signed = headers(keys, message.message_id, now_us // SECOND_US, body)
    answer = post(check_url(settings.url), body, signed, timeout_s=float(settings.timeout_seconds))
    if not answer.taken:
        raise Refused(
            f"The receiver did not take the message: {answer.error}.",
            "Check webhooks.url and the receiver's log.",
        )
    click.echo(f"The receiver took message {message.message_id} (HTTP {answer.status}).")
