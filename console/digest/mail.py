"""Sending digests by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from console.design.display import moment
from console.digest.letter import Letter, html_of, text_of
from console.digest.settings import MailSettings
from flyball.errors import FlyballError, InvalidInput

_TIMEOUT_S = 20.0


class MailError(FlyballError):
    """The mail server could not be reached, or took nothing."""


def message_of(told: Letter, settings: MailSettings) -> EmailMessage:
    """The digest as a mail with text and HTML; raises InvalidInput for no usable address."""
    try:
        to = Address(told.user.name.replace("\n", " "), addr_spec=told.user.email)
    except (MessageError, HeaderParseError, ValueError, IndexError) as error:
        raise InvalidInput(
            f"{told.user.login} has no usable address.", "Give one on the users page.",
            field="email",
        ) from error  # fmt: skip
    message = EmailMessage()
    message["Subject"] = told.subject
    message["From"] = settings.sender
    message["To"] = to
    at = moment(told.now_us)
    assert at is not None
    message["Date"] = format_datetime(at)
    message["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2].strip("> "))
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text_of(told))
    message.add_alternative(html_of(told), subtype="html")
    return message


@contextmanager
def mail_server(settings: MailSettings, password: str = "") -> Iterator[smtplib.SMTP]:
    """A connection to the server, signed in where a user is set; raises MailError."""
    context = ssl.create_default_context()
    try:
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=_TIMEOUT_S, context=context
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=_TIMEOUT_S)
        with server:
            if settings.security == "starttls":
                server.starttls(context=context)
            if settings.user:
                server.login(settings.user, password)
            yield server
    except (OSError, smtplib.SMTPException) as error:
        raise MailError(
            f"The mail server {settings.host}:{settings.port} refused: {error}",
            "Check [console.mail] of flyball.toml.",
        ) from error
