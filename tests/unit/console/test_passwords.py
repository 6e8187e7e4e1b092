"""What a guess at a password costs: the other tests of the console take cheap ones."""

from __future__ import annotations

import pytest
from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from console.access.passwords import hash_password, matches, outdated
from flyball.errors import InvalidInput
from tests.unit.console.conftest import CHEAP, PASSWORD


@pytest.fixture(autouse=True)
def cheap_passwords() -> None:
    """The console's own, here."""


def test_a_password_is_kept_as_argon2id_with_no_less_work_than_rfc_9106_asks() -> None:
    kept = hash_password(PASSWORD)
    found, least = extract_parameters(kept), RFC_9106_LOW_MEMORY
    assert found.type == least.type
    assert found.version == least.version
    assert found.memory_cost >= least.memory_cost
    assert found.time_cost >= least.time_cost
    assert found.salt_len >= least.salt_len
    assert found.hash_len >= least.hash_len
    assert matches(kept, PASSWORD)
    assert not matches(kept, PASSWORD + " ")
    assert not outdated(kept)


def test_what_was_kept_with_less_work_still_opens_and_is_to_be_made_anew() -> None:
    kept = CHEAP.hash(PASSWORD)
    assert matches(kept, PASSWORD)
    assert outdated(kept)


@pytest.mark.parametrize("kept", ["", "what is this", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$"])
def test_where_nothing_that_fits_is_kept_no_password_opens(kept: str) -> None:
    assert not matches(kept, PASSWORD)
    assert not matches(kept, "nobody has this password")


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
def test_a_password_that_is_too_short_or_too_long_is_refused(password: str) -> None:
    with pytest.raises(InvalidInput):
        hash_password(password)
