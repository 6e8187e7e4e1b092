"""The daily digest: about one's own accounts, sent through a real SMTP server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from console.desk import Desk
from console.digest.letter import letter, text_of
from console.digest.mail import MailError, mail_server, message_of
from console.digest.settings import MailSettings, mail_settings_from
from flyball.errors import InvalidInput
from flyball.instant import DAY_US
from ledger.users import User
from tests.unit.console.conftest import NOW_US, Call


class Box:
    """What arrived."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def box() -> Iterator[tuple[Box, MailSettings]]:
    arrived = Box()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(arrived, hostname="127.0.0.1", port=port)
    controller.start()
    yield (
        arrived,
        MailSettings(host="127.0.0.1", port=port, security="none", sender="flyball@example.com"),
    )
    controller.stop()


def person(desk: Desk, login: str, **changed: Any) -> User:
    user = desk.ledger.user_named(login)
    assert user is not None
    return desk.ledger.change_user(user.user_id, author="tests", now_us=NOW_US, **changed)


def test_a_digest_arrives_with_text_and_html_about_own_accounts(
    desk: Desk, box: tuple[Box, MailSettings]
) -> None:
    arrived, settings = box
    bo = person(desk, "bo", email="bo@example.com", name="Bo")
    with mail_server(settings) as server:
        server.send_message(message_of(letter(desk, bo), settings))
    (mail,) = arrived.mails
    assert (mail["To"], mail["From"]) == ("Bo <bo@example.com>", "flyball@example.com")
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    for part in (text.get_content(), html.get_content()):
        assert "=1+1" in part
        assert "Delta" not in part
        assert "alert(1)" not in part
    assert "Äpfel & Co: risk 20.0 %" in text.get_content()
    assert "Äpfel &amp; Co" in html.get_content()
    assert "Äpfel" not in mail["Subject"]


def test_names_in_a_mail_are_text_and_never_markup_or_headers(desk: Desk) -> None:
    ann = person(desk, "ann", email="ann@example.com", name="<b>Ann</b>")
    mail = message_of(letter(desk, ann), MailSettings(host="h", sender="f@example.com"))
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script>alert" not in html.get_content()
    assert "<b>Ann" not in html.get_content()


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c", "x y@example.com"])
def test_nobody_is_written_to_without_a_usable_address(desk: Desk, email: str) -> None:
    bo = person(desk, "bo", email=email)
    with pytest.raises(InvalidInput) as error:
        message_of(letter(desk, bo), MailSettings(host="h", sender="f@example.com"))
    assert error.value.field == "email"


def test_a_server_that_is_not_there_is_told() -> None:
    settings = MailSettings(host="127.0.0.1", port=1, security="none", sender="f@example.com")
    with pytest.raises(MailError), mail_server(settings):
        pass


def test_a_digest_tells_of_one_day(desk: Desk) -> None:
    assert letter(desk, person(desk, "bo")).found.since_us == NOW_US - DAY_US


def test_a_name_cannot_write_lines_of_its_own_into_the_text(desk: Desk) -> None:
    told = letter(desk, person(desk, "bo"))
    forged = replace(told, user=replace(told.user, name="Bo,\n\nYour password has expired"))
    first = text_of(forged).splitlines()[0]
    assert first == "Good morning Bo, Your password has expired,"


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({"hots": "x"}, "hots"), ({"port": "25"}, "port"), ({"port": 0}, "port"),
        ({"security": "ssl"}, "security"), ({"host": "h"}, "sender"),
        ({"security": "none", "user": "u"}, "user"),
    ],
)  # fmt: skip
def test_a_wrong_mail_setting_is_named(table: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        mail_settings_from({"mail": table})
    assert error.value.field == f"console.mail.{field}"
    assert mail_settings_from({}) == MailSettings()


def test_the_page_tells_the_same(call: Call) -> None:
    status, text = call("bo").get("/console/digest")
    assert status == 200
    assert "Who asks for attention" in text
    assert "Delta" not in text
