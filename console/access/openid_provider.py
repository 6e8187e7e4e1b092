"""The provider: where it is asked, with what, and which keys it signs with."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from console.access.openid_fetch import ProviderFailed, fetch_document
from console.access.openid_settings import OpenIdSettings, check_address
from console.access.openid_token import Expected, KeyUnknown, checked_claims
from flyball.errors import InvalidInput

#: Discovery and keys are asked for again after so long.
KEPT_SECONDS = 3_600.0
_POINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoints:
    authorization: str
    token: str
    keys: str
    leave: str
    basic: bool


class OpenIdProvider:
    """One provider and this console as its client; may be used from any thread.

    ``now_s`` is the machine's clock in seconds since 1970.
    """

    def __init__(
        self, settings: OpenIdSettings, secret: str, *, now_s: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self._secret = secret
        self._now_s = now_s
        self._lock = threading.Lock()
        self._endpoints: tuple[float, _Endpoints] | None = None
        self._keys: tuple[float, list[Mapping[str, Any]]] | None = None

    def way_in(self, *, state: str, nonce: str, verifier: str, redirect_uri: str) -> str:
        """Where the browser goes to sign in (authorization code, PKCE with S256)."""
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return _with_query(self._found().authorization, asked)

    def way_out(self, *, redirect_uri: str) -> str:
        """Where the browser goes to sign out there as well; empty where that is not offered."""
        address = self._found().leave
        asked = {"client_id": self.settings.client_id, "post_logout_redirect_uri": redirect_uri}
        return _with_query(address, asked) if address else ""

    def claims(self, code: str, *, nonce: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """Exchange ``code`` for an ID token, and check it.

        Raises
        ------
        TokenInvalid
            The token must not be believed.
        ProviderFailed
            The provider gives none.
        """
        answer = self._exchange(code, verifier, redirect_uri)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderFailed("The provider's answer holds no ID token.")
        expected = Expected(
            issuer=self.settings.issuer, client_id=self.settings.client_id, nonce=nonce,
            now_s=self._now_s(),
        )  # fmt: skip
        try:
            return checked_claims(token, self._signing_keys(), expected)
        except KeyUnknown:
            return checked_claims(token, self._signing_keys(fresh=True), expected)

    def _exchange(self, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        found = self._found()
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers: dict[str, str] = {}
        if self._secret and found.basic:
            # RFC 6749, 2.3.1: both parts are form-encoded before they are joined.
            pair = f"{quote(self.settings.client_id, safe='')}:{quote(self._secret, safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            fields["client_id"] = self.settings.client_id
            if self._secret:
                fields["client_secret"] = self._secret
        return fetch_document(found.token, fields=fields, headers=headers)

    def _found(self) -> _Endpoints:
        with self._lock:
            if self._endpoints is not None and _recent(self._endpoints[0]):
                return self._endpoints[1]
            address = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
            found = _endpoints(fetch_document(address), self.settings.issuer)
            self._endpoints = (time.monotonic(), found)
            return found

    def _signing_keys(self, *, fresh: bool = False) -> list[Mapping[str, Any]]:
        address = self._found().keys
        with self._lock:
            if not fresh and self._keys is not None and _recent(self._keys[0]):
                return self._keys[1]
            keys = fetch_document(address).get("keys")
            if not isinstance(keys, list):
                raise ProviderFailed("The provider's key document holds no keys.")
            usable: list[Mapping[str, Any]] = [key for key in keys if isinstance(key, dict)]
            self._keys = (time.monotonic(), usable)
            return usable


def _endpoints(document: Mapping[str, Any], issuer: str) -> _Endpoints:
    if document.get("issuer") != issuer:
        raise ProviderFailed(
            f"The provider calls itself {str(document.get('issuer'))[:200]!r}, not {issuer!r}.",
            "Write console.oidc.issuer exactly as the provider does.",
        )
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    challenges = document.get("code_challenge_methods_supported", ["S256"])
    if isinstance(challenges, list) and "S256" not in challenges:
        raise ProviderFailed("The provider does not take PKCE with S256.")
    addresses = {}
    for name in _POINTS:
        addresses[name] = _safe(document.get(name), name)
    leave = document.get("end_session_endpoint")
    return _Endpoints(
        authorization=addresses["authorization_endpoint"],
        token=addresses["token_endpoint"],
        keys=addresses["jwks_uri"],
        leave="" if leave is None else _safe(leave, "end_session_endpoint"),
        basic=not isinstance(methods, list) or "client_secret_basic" in methods,
    )


def _safe(address: object, name: str) -> str:
    if not isinstance(address, str):
        raise ProviderFailed(f"The provider's discovery document has no {name}.")
    try:
        return check_address(address, field=name)
    except InvalidInput as error:
        raise ProviderFailed(str(error)) from None


def _with_query(address: str, fields: Mapping[str, str]) -> str:
    joint = "&" if urlsplit(address).query else "?"
    return f"{address}{joint}{urlencode(fields)}"


def _recent(at_s: float) -> bool:
    return time.monotonic() - at_s < KEPT_SECONDS
