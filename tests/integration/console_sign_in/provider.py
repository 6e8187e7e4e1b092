"""An OpenID Connect provider as a process: discovery, keys, sign-in form, token endpoint.

It is strict where a real one is: registered return addresses, one use of a code, PKCE, the client's
secret. ``POST /control`` makes it misbehave or change its keys: ``claims`` replace those of the
next tokens (null drops one), ``algorithm`` signs them otherwise, ``rotate`` makes a new key,
``foreign_key`` signs with a key that is not published, ``callback`` adds to the way back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

CLIENT, SECRET = "flyball", "s3cret/with+signs"
PEOPLE: dict[str, dict[str, Any]] = {
    "00-ann": {"preferred_username": "ann", "name": "Ann Ek", "email": "ann@example.com"},
    "00-new": {"preferred_username": "noa", "name": "Noa Li", "email": "noa@example.com",
               "email_verified": True},
    "00-thief": {"preferred_username": "ann", "name": "Not Ann"},
    "00-off": {"preferred_username": "off"},
}  # fmt: skip


class Provider(ThreadingHTTPServer):
    """Its state: keys, codes given out and what it was told to do."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.codes: dict[str, dict[str, str]] = {}
        self.control: dict[str, Any] = {}
        self.redirects: list[str] = []
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish that alone."""
        self.kid = secrets.token_hex(4)
        self.key = RSAKey.generate_key(2048, {"kid": self.kid, "use": "sig"})

    def token(self, asked: dict[str, str]) -> str:
        """An ID token for what was asked, spoilt as control says."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer, "aud": CLIENT, "sub": asked["sub"], "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], **PEOPLE.get(asked["sub"], {}),
            **self.control.get("claims", {}),
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        algorithm = self.control.get("algorithm", "RS256")
        header = {"alg": algorithm, "kid": self.kid}
        if algorithm in ("none", "HS256"):
            # The classics: no signature, or the public key taken for a shared secret.
            signed = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
            public = self.key.as_pem(private=False)
            mark = hmac.digest(public, signed.encode(), "sha256") if algorithm != "none" else b""
            return f"{signed}.{_encoded(mark)}"
        key = RSAKey.generate_key(2048) if self.control.get("foreign_key") else self.key
        return jwt.encode(header, claims, key, registry=JWSRegistry(algorithms=[algorithm]))


class Handler(BaseHTTPRequestHandler):
    """Requests."""

    server: Provider

    def do_GET(self) -> None:
        """Discovery, keys, the sign-in form, signing out."""
        path, asked = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        issuer = self.server.issuer
        if path == "/.well-known/openid-configuration":
            self._json(
                {
                    "issuer": self.server.control.get("issuer", issuer),
                    "authorization_endpoint": f"{issuer}/authorize",
                    "token_endpoint": f"{issuer}/token",
                    "jwks_uri": f"{issuer}/keys",
                    "end_session_endpoint": f"{issuer}/leave",
                    "code_challenge_methods_supported": ["S256"],
                }
            )
        elif path == "/keys":
            self._json({"keys": [self.server.key.as_dict(private=False)]})
        elif path == "/authorize":
            self._form(asked)
        elif path == "/leave" and asked.get("client_id") == CLIENT:
            self._html("<h1>Signed out</h1>")
        else:
            self._json({"error": "not_found"}, 404)

    def do_POST(self) -> None:
        """The form sent, a code exchanged, control."""
        raw = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.path == "/control":
            self.server.control = json.loads(raw)
            self.server.redirects += self.server.control.pop("redirects", [])
            if self.server.control.pop("rotate", False):
                self.server.rotate()
            self._json({})
        elif self.path == "/authorize":
            self._consent(dict(parse_qsl(raw)))
        elif self.path == "/token":
            self._exchange(dict(parse_qsl(raw)))

    def _form(self, asked: dict[str, str]) -> None:
        right = (
            asked.get("client_id") == CLIENT and asked.get("response_type") == "code"
            and asked.get("redirect_uri") in self.server.redirects
            and "openid" in asked.get("scope", "").split()
            and asked.get("code_challenge_method") == "S256" and asked.get("code_challenge")
            and asked.get("state") and asked.get("nonce")
        )  # fmt: skip
        if not right:
            self._html("<h1>Unregistered</h1>", 400)
            return
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(asked[name])}">'
            for name in ("redirect_uri", "state", "nonce", "code_challenge")
        )
        self._html(
            f'<h1>Identity</h1><form method="post" action="/authorize">{hidden}'
            '<label for="sub">Subject</label><input id="sub" name="sub"><button>Go on</button>'
            "</form>"
        )

    def _consent(self, asked: dict[str, str]) -> None:
        if asked["redirect_uri"] not in self.server.redirects:
            self._html("<h1>Unregistered</h1>", 400)
            return
        answer = {"state": asked["state"], "iss": self.server.issuer}
        if asked.get("sub") == "declines":
            answer["error"] = "access_denied"
        else:
            code = secrets.token_urlsafe(16)
            self.server.codes[code] = asked
            answer["code"] = code
        answer |= self.server.control.get("callback", {})
        self.send_response(303)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(answer)}")
        self.end_headers()

    def _exchange(self, fields: dict[str, str]) -> None:
        scheme, _, given = self.headers.get("authorization", "").partition(" ")
        pair = base64.b64decode(given).decode().split(":") if scheme == "Basic" else []
        if [unquote(part) for part in pair] != [CLIENT, SECRET]:
            self._json({"error": "invalid_client"}, 401)
            return
        asked = self.server.codes.pop(fields.get("code", ""), None)
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or fields.get("grant_type") != "authorization_code"
            or fields.get("redirect_uri") != asked["redirect_uri"]
            or _encoded(digest) != asked["code_challenge"]
        ):
            self._json({"error": "invalid_grant"}, 400)
            return
        self._json(
            {"access_token": "x", "token_type": "Bearer", "id_token": self.server.token(asked)}
        )

    def _json(self, document: dict[str, Any], status: int = 200) -> None:
        self._answer(json.dumps(document), "application/json", status)

    def _html(self, text: str, status: int = 200) -> None:
        self._answer(f"<!doctype html><html lang=en><title>Id</title>{text}", "text/html", status)

    def _answer(self, text: str, kind: str, status: int) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


if __name__ == "__main__":
    provider = Provider()
    print(provider.issuer, flush=True)
    try:
        provider.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
