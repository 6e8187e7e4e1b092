"""What is believed of an ID token, key by key and claim by claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from console.access.openid_token import Expected, KeyUnknown, TokenInvalid, checked_claims

NOW_S = 1_767_700_800
EXPECTED = Expected(issuer="https://id.example", client_id="us", nonce="n1", now_s=NOW_S)
RSA = RSAKey.generate_key(2048, {"kid": "a"})
EC = ECKey.generate_key("P-256", {"kid": "b"})
RIGHT: dict[str, Any] = {
    "iss": "https://id.example", "aud": "us", "sub": "s1", "nonce": "n1", "iat": NOW_S,
    "exp": NOW_S + 60,
}  # fmt: skip


def public(key: RSAKey | ECKey, **more: object) -> Mapping[str, Any]:
    return key.as_dict(private=False) | more


def token(key: RSAKey | ECKey = RSA, algorithm: str = "RS256", **claims: object) -> str:
    header = {"alg": algorithm, "kid": key.kid} if key.kid else {"alg": algorithm}
    said = {name: value for name, value in (RIGHT | claims).items() if value is not None}
    return jwt.encode(header, said, key, algorithms=[algorithm])


def test_a_right_token_is_believed() -> None:
    keys = [public(EC), public(RSA, use="sig", alg="RS256", x5t="whatever", other=[1])]
    assert checked_claims(token(), keys, EXPECTED)["sub"] == "s1"
    assert checked_claims(token(EC, "ES256"), keys, EXPECTED)["sub"] == "s1"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://id.example/"}, {"aud": []}, {"aud": None}, {"aud": {"us": 1}},
        {"aud": ["us", "them"]}, {"azp": "them"}, {"nonce": "N1"}, {"nonce": 1},
        {"exp": NOW_S - 61}, {"exp": "soon"}, {"exp": True}, {"iat": NOW_S + 61},
        {"iat": None}, {"nbf": NOW_S + 61}, {"sub": ""}, {"sub": "x" * 256}, {"sub": 7},
        {"sub": "a\nb"},
    ],
)  # fmt: skip
def test_any_other_claim_is_not(claims: dict[str, object]) -> None:
    with pytest.raises(TokenInvalid):
        checked_claims(token(RSA, "RS256", **claims), [public(RSA)], EXPECTED)


def test_clocks_may_differ_by_a_minute() -> None:
    assert checked_claims(
        token(exp=NOW_S - 59, iat=NOW_S + 59, nbf=NOW_S + 59), [public(RSA)], EXPECTED
    )


def test_a_key_that_nobody_published_is_looked_for_again() -> None:
    for keys in ([], [public(EC)], [public(RSA, kid="z")], [public(RSA, use="enc")],
                 [public(RSA, alg="PS256")]):  # fmt: skip
        with pytest.raises(KeyUnknown):
            checked_claims(token(), keys, EXPECTED)


def test_the_only_key_serves_where_the_token_names_none() -> None:
    bare = RSAKey.import_key({k: v for k, v in RSA.as_dict(private=True).items() if k != "kid"})
    assert checked_claims(token(bare), [public(RSA)], EXPECTED)
    other = RSAKey.generate_key(2048, {"kid": "c"})
    with pytest.raises(KeyUnknown):
        checked_claims(token(bare), [public(RSA), public(other)], EXPECTED)


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "a.b.c.d", "!.!.!", "eyJhbGciOiJub25lIn0.e30.", "e30.e30.e30", "W10.e30.e30",
     "x" * 40_000],
)  # fmt: skip
def test_what_is_no_signed_token_is_refused(text: str) -> None:
    with pytest.raises(TokenInvalid):
        checked_claims(text, [public(RSA)], EXPECTED)


def test_an_altered_token_is_refused() -> None:
    head, body, mark = token().split(".")
    _, other, _ = token(sub="s2").split(".")
    assert body != other
    with pytest.raises(TokenInvalid):
        checked_claims(f"{head}.{other}.{mark}", [public(RSA)], EXPECTED)


@pytest.mark.parametrize("key", [{"n": "!"}, {"n": 5}, {"e": ""}])
def test_a_published_key_that_cannot_be_read_is_refused(key: dict[str, object]) -> None:
    with pytest.raises(TokenInvalid):
        checked_claims(token(), [public(RSA, **key)], EXPECTED)
