"""``[webhooks]``: where messages go, and which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import SplitResult, urlsplit

from flyball.errors import InvalidInput
from flyball.identity import check_word
from serving.listening import is_loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """``[webhooks]``: one address that is told what happens; none by default.

    Parameters
    ----------
    url:
        ``https``, or ``http`` on this machine; empty sends nothing.
    events:
        Message types to send, whole or by their first words: ``notice`` means ``notice.raised``
        and ``notice.ended``.
    timeout_seconds:
        Longest wait for the receiver (1..60 s).
    most_waiting:
        Messages kept while the receiver is away (100..1000000); the oldest beyond are given up.
    """

    url: str = ""
    events: tuple[str, ...] = ("notice",)
    timeout_seconds: int = 10
    most_waiting: int = 10_000

    def __post_init__(self) -> None:
        if self.url:
            check_url(self.url)
        for event in self.events:
            check_word(event, field="webhooks.events")
        for name, low, high in (("timeout_seconds", 1, 60), ("most_waiting", 100, 1_000_000)):
            if not low <= getattr(self, name) <= high:
                raise InvalidInput(
                    f"webhooks.{name} {getattr(self, name)} must lie in {low}..{high}.",
                    field=f"webhooks.{name}",
                )

    def wants(self, message_type: str) -> bool:
        """Whether messages of this type are sent at all."""
        return bool(self.url) and any(
            message_type == event or message_type.startswith(event + ".") for event in self.events
        )


def check_url(url: str) -> SplitResult:
    """The parts of an address that may be posted to; raises InvalidInput."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _refused(url, "is not a URL") from error
    if not host or port == 0 or not url.isascii() or any(char.isspace() for char in url):
        raise _refused(url, "is not a URL")
    if parts.username or parts.password or parts.fragment:
        raise _refused(url, "holds a user, a password or a fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise _refused(url, "is neither https nor on this machine")
    return parts


def webhooks_from(table: Mapping[str, Any]) -> WebhookSettings:
    """Read ``[webhooks]``; unknown keys have been refused before."""
    values: dict[str, Any] = {}
    defaults = WebhookSettings()
    for item in fields(WebhookSettings):
        if item.name not in table:
            continue
        value = table[item.name]
        if item.name == "events":
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                raise InvalidInput(
                    "webhooks.events must be a list of message types.",
                    'Write them like ["notice"].',
                    field="webhooks.events",
                )
            values["events"] = tuple(value)
        elif type(value) is not type(getattr(defaults, item.name)):
            word = "text" if item.name == "url" else "a whole number"
            raise InvalidInput(
                f"webhooks.{item.name} must be {word}, not {value!r}.",
                field=f"webhooks.{item.name}",
            )
        else:
            values[item.name] = value
    return WebhookSettings(**values)


def _refused(url: str, why: str) -> InvalidInput:
    # A URL may carry a secret in its path or query: only its beginning is repeated.
    return InvalidInput(
        f"webhooks.url {url[:24]!r} {why}.",
        "Write it like https://hooks.example.com/flyball.",
        field="webhooks.url",
    )
