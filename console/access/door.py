"""Signing in with a password: slow for guessers, alike for right and wrong logins."""

from __future__ import annotations

from console.access.passwords import hash_password, matches, outdated
from flyball.errors import Refused
from flyball.instant import MINUTE_US
from ledger.sqlite_ledger import SqliteLedger
from ledger.users import User

#: Failed tries within the window after which a login, or an address, has to wait.
LOGIN_TRIES, ADDRESS_TRIES = 5, 30
WINDOW_US = 15 * MINUTE_US


class TooManyTries(Refused):
    """Somebody must wait before trying again."""


def sign_in(
    ledger: SqliteLedger, login: str, password: str, *, address: str, now_us: int
) -> User | None:
    """The user, or None for any wrong pair; what was wrong is told to nobody.

    Raises
    ------
    TooManyTries
        Too many failed tries with this login or from this address; right passwords wait too, or
        guessing could go on and learn from the answer.
    """
    login = login.strip().lower()
    by_login, by_address = ledger.failed_sign_ins(
        login=login, address=address, since_us=now_us - WINDOW_US
    )
    if by_login >= LOGIN_TRIES or by_address >= ADDRESS_TRIES:
        raise TooManyTries(
            "Too many attempts to sign in.", "Wait a quarter of an hour and try again."
        )
    user = ledger.user_named(login)
    usable = user is not None and user.enabled
    right = matches(user.password if user is not None and usable else "", password)
    if user is None or not right:
        ledger.note_failed_sign_in(
            login=login, address=address, now_us=now_us, keep_us=2 * WINDOW_US
        )
        return None
    if by_login:
        ledger.forget_failed_sign_ins(login)
    if outdated(user.password):
        ledger.rehash_password(user.user_id, hash_password(password))
    return user
