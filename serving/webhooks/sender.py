"""Sending what waits in the outbox, in the control process and never on the data path.

Each message is sent at least once; a receiver tells repetitions by ``webhook-id``. One that is not
taken is tried again after the pauses that Standard Webhooks recommends, about three days in all,
and then given up in the open: ``flyball status`` counts it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult

import structlog

from flyball.errors import FlyballError
from flyball.home import Home
from flyball.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from ledger.outbox import Message
from ledger.sqlite_ledger import SqliteLedger
from serving.clock import wall_us
from serving.webhooks.endpoint import WebhookSettings, check_url
from serving.webhooks.event import tell
from serving.webhooks.notices import notice_events
from serving.webhooks.post import Answer, post
from serving.webhooks.secret_file import ensure_secrets
from serving.webhooks.signature import headers

#: Pauses after the first, second ... failed attempt.
PAUSES_US = (
    5 * SECOND_US, 5 * MINUTE_US, 30 * MINUTE_US, 2 * HOUR_US, 5 * HOUR_US, 10 * HOUR_US,
    14 * HOUR_US, 20 * HOUR_US, 24 * HOUR_US,
)  # fmt: skip
#: Longest that a receiver's Retry-After is heeded.
_LONGEST_WAIT_US = DAY_US
#: How long messages that no longer wait stay, for `flyball status` and against repetition.
_KEEP_US = 7 * DAY_US
_LOOK_S = 1.0
_SOME = 50

Post = Callable[[SplitResult, bytes, Mapping[str, str], float], Answer]


def _post(address: SplitResult, body: bytes, given: Mapping[str, str], timeout_s: float) -> Answer:
    return post(address, body, given, timeout_s=timeout_s)


class Sender:
    """Sends one home's messages to its one address.

    Parameters
    ----------
    settings:
        With a URL.
    send:
        How one message is posted; tests give their own.
    """

    def __init__(
        self,
        home: Home,
        ledger: SqliteLedger,
        settings: WebhookSettings,
        *,
        now_us: Callable[[], int] = wall_us,
        send: Post = _post,
    ) -> None:
        self._secrets = home.webhook_secrets
        self._ledger = ledger
        self._settings = settings
        self._address = check_url(settings.url)
        self._now_us = now_us
        self._send = send
        self._failures = 0
        self._resume_us = 0
        self._forgot_us = 0
        self._log = structlog.get_logger("serving.webhooks")

    def look(self, stopping: threading.Event | None = None) -> int:
        """Tell the news, send what is due, and forget what is old; how many were taken.

        After a failure the address is left alone for a while: a receiver that is away must not cost
        a timeout for every message that waits.
        """
        now_us = self._now_us()
        tell(
            self._ledger, self._settings, notice_events(self._ledger, now_us=now_us), now_us=now_us
        )
        if now_us - self._forgot_us > HOUR_US:
            self._ledger.forget_messages(now_us - _KEEP_US)
            self._forgot_us = now_us
        taken = 0
        if now_us < self._resume_us:
            return taken
        for message in self._ledger.due_messages(now_us, limit=_SOME):
            if stopping is not None and stopping.is_set():
                break
            if not self._attempt(message):
                break
            taken += 1
        return taken

    def _attempt(self, message: Message) -> bool:
        began_us = self._now_us()
        body = message.body.encode("utf-8")
        # Read each time: a rotation counts from the next attempt on.
        keys = ensure_secrets(self._secrets)
        signed = headers(keys, message.message_id, began_us // SECOND_US, body)
        answer = self._send(self._address, body, signed, float(self._settings.timeout_seconds))
        now_us = self._now_us()
        if answer.taken:
            self._failures, self._resume_us = 0, 0
            self._ledger.mark_delivered([message.message_id], now_us=now_us)
            return True
        self._failures += 1
        wait_us = min(answer.wait_us(now_us) or 0, _LONGEST_WAIT_US)
        pause_us = min(MINUTE_US, SECOND_US << min(self._failures, 6))
        # 410: the receiver says that it wants no more of this.
        self._resume_us = now_us + (HOUR_US if answer.status == 410 else max(pause_us, wait_us))
        retry_us = None if answer.status == 410 else _retry_us(message.attempts, now_us, wait_us)
        self._ledger.mark_failed(
            message.message_id, error=answer.error, now_us=now_us, retry_us=retry_us
        )
        self._log.warning(
            "webhook_failed",
            message=message.message_id,
            error=answer.error,
            attempt=message.attempts + 1,
            given_up=retry_us is None,
        )
        return False


def keep_sending(home: Home, settings: WebhookSettings, stopping: threading.Event) -> None:
    """Send until ``stopping`` is set; whatever goes wrong is told and tried again."""
    log = structlog.get_logger("serving.webhooks")
    said = ""
    sender: Sender | None = None
    ledger: SqliteLedger | None = None
    try:
        while not stopping.wait(_LOOK_S):
            try:
                if ledger is None or sender is None:
                    ledger = SqliteLedger(home.ledger)
                    sender = Sender(home, ledger, settings)
                sender.look(stopping)
                said = ""
            except FlyballError as error:
                if str(error) != said:
                    said = str(error)
                    log.error("webhooks_wait", error=said)
    finally:
        if ledger is not None:
            ledger.close()


def _retry_us(attempts: int, now_us: int, wait_us: int) -> int | None:
    """When to try again after one more failed attempt; None to give up."""
    if attempts >= len(PAUSES_US):
        return None
    # Spread, so that many messages that failed together do not come back together.
    pause_us = int(PAUSES_US[attempts] * random.uniform(0.9, 1.1))  # noqa: S311
    return now_us + max(pause_us, wait_us)
