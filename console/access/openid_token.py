"""Checking an ID token (OpenID Connect Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry

#: Signatures with a public key only: ``none`` proves nothing, and a shared secret is not theirs.
ALGORITHMS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA",
    "PS512": "RSA", "ES256": "EC", "ES384": "EC", "ES512": "EC", "Ed25519": "OKP",
    "EdDSA": "OKP",
}  # fmt: skip
#: Clocks may differ by so much.
LEEWAY_SECONDS = 60
MOST_CHARACTERS = 32_768

PublicKey = RSAKey | ECKey | OKPKey


class TokenInvalid(Exception):
    """The ID token must not be believed; the text is for the log."""


class KeyUnknown(TokenInvalid):
    """No key fits the token's header: the provider may have changed its keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token for this sign-in says; ``now_s`` is seconds since 1970."""

    issuer: str
    client_id: str
    nonce: str
    now_s: float


def checked_claims(
    token: str, keys: Iterable[Mapping[str, Any]], expected: Expected
) -> dict[str, Any]:
    """The claims of ``token``, signed by one of ``keys`` (JWKs) and meant for this sign-in.

    Raises
    ------
    KeyUnknown
        None of the keys is the one that the header names.
    TokenInvalid
        Anything else is not as it must be.
    """
    key, algorithm = _key_for(token, keys)
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    try:
        claims = jwt.decode(token, key, algorithms=[algorithm], registry=registry).claims
    except (JoseError, ValueError, TypeError) as error:
        raise TokenInvalid(f"the signature does not hold ({type(error).__name__})") from None
    _check_audience(claims, expected)
    _check_times(claims, expected.now_s)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode("utf-8", "replace"), expected.nonce.encode()
    ):
        raise TokenInvalid("the nonce is another")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255 or not subject.isprintable():
        raise TokenInvalid("the subject is missing or cannot be one")
    return claims


def _key_for(token: str, keys: Iterable[Mapping[str, Any]]) -> tuple[PublicKey, str]:
    header = _header(token)
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenInvalid("the algorithm is not one of " + ", ".join(ALGORITHMS))
    fitting = [
        key
        for key in keys
        if key.get("kty") == ALGORITHMS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]
    if len(fitting) != 1:
        raise KeyUnknown(f"{len(fitting)} keys of the provider fit the token")
    # Public parts alone; other members may be of any kind, and say nothing about the signature.
    public: dict[str, str | list[str]] = {
        name: value for name, value in fitting[0].items()
        if name in ("kty", "n", "e", "crv", "x", "y") and isinstance(value, str)
    }  # fmt: skip
    try:
        key = import_key(public)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise TokenInvalid(f"the provider's key cannot be read ({type(error).__name__})") from None
    if not isinstance(key, (RSAKey, ECKey, OKPKey)):
        raise TokenInvalid("the provider's key is not a public one")
    return key, algorithm


def _header(token: str) -> dict[str, Any]:
    if len(token) > MOST_CHARACTERS or token.count(".") != 2:
        raise TokenInvalid("it is not a signed token")
    part = token.split(".", 1)[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TokenInvalid("its header cannot be read")
    return found


def _check_audience(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise TokenInvalid("the issuer is another")
    given = claims.get("aud")
    audience = [given] if isinstance(given, str) else given
    if not isinstance(audience, list) or expected.client_id not in audience:
        raise TokenInvalid("the audience is another")
    party = claims.get("azp")
    if (party is not None or len(audience) > 1) and party != expected.client_id:
        raise TokenInvalid("the authorized party is another")


def _check_times(claims: Mapping[str, Any], now_s: float) -> None:
    if not _seconds(claims, "exp") > now_s - LEEWAY_SECONDS:
        raise TokenInvalid("it has expired")
    for name in ("iat", "nbf"):
        if (name == "iat" or name in claims) and _seconds(claims, name) > now_s + LEEWAY_SECONDS:
            raise TokenInvalid(f"{name} lies in the future: compare the clocks")


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TokenInvalid(f"{name} is missing or no time")
    return value
