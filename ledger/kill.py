"""The kill switch: a file, so that it works with the ledger and everything else down.

While ``run/kill`` exists every arm is 1. What is in it says who, why and since when; a file that
cannot be read still counts as on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import msgspec

from flyball.home import Home
from ledger.durable_file import FULL, storage_error, sync_directory, write_durably
from ledger.people import check_said


class KillLog(Protocol):
    """Where the switch's moves are logged when there is a ledger."""

    def record_kill(self, *, engaged: bool, author: str, reason: str, now_us: int) -> None:
        """Log that the kill switch went on or off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KillState:
    """Who turned the switch on, why and when; empty and None where the file does not say."""

    author: str = ""
    reason: str = ""
    since_us: int | None = None


def kill_state(home: Home) -> KillState | None:
    """The switch's state if it is on, None if it is off."""
    try:
        content = home.kill.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return KillState()
    try:
        return msgspec.json.decode(content, type=KillState)
    except (msgspec.MsgspecError, ValueError):
        return KillState()


def engage_kill(
    home: Home, *, author: str, reason: str, now_us: int, log: KillLog | None = None
) -> bool:
    """Turn the switch on; durable before it is logged. Returns False if it was on already."""
    author, reason = check_said(author, field="author"), check_said(reason, field="reason")
    if kill_state(home) is not None:
        return False
    try:
        _write(home, KillState(author=author, reason=reason, since_us=now_us))
    except OSError as error:
        raise storage_error(error, home.kill) from error
    if log is not None:
        log.record_kill(engaged=True, author=author, reason=reason, now_us=now_us)
    return True


def release_kill(
    home: Home, *, author: str, reason: str, now_us: int, log: KillLog | None = None
) -> bool:
    """Turn the switch off. Returns False if it was off already."""
    author, reason = check_said(author, field="author"), check_said(reason, field="reason")
    try:
        home.kill.unlink()
        sync_directory(home.kill.parent)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise storage_error(error, home.kill) from error
    if log is not None:
        log.record_kill(engaged=False, author=author, reason=reason, now_us=now_us)
    return True


def _write(home: Home, state: KillState) -> None:
    home.kill.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_durably(home.kill, msgspec.json.encode(state))
    except OSError as error:
        if error.errno not in FULL:
            raise
        # An empty file needs no block: the switch works on a full disk, only without its why.
        home.kill.touch()
