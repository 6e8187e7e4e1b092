"""Who is asking: bearer tokens with roles (RFC 6750), read from a file that needs no database.

The ledger writes the file whenever a token is made or revoked, so that the data path can tell
friend from stranger with the ledger down and after a cold start. It holds SHA-256 digests only.
A home without tokens is served on the loopback interface only, and there to everybody.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

ROLES = ("gateway", "ingest", "data-science", "cs", "admin")
_LOCAL_HOSTS = frozenset((b"localhost", b"127.0.0.1", b"[::1]", b""))


class TokenEntry(msgspec.Struct, frozen=True):
    """One token in the mirror file; times in microseconds since the epoch."""

    digest: str
    role: str
    name: str
    expires_us: int | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and what they may do; ``name`` goes into the audit log."""

    name: str
    role: str

    def may(self, roles: tuple[str, ...]) -> bool:
        """Whether this principal has one of ``roles``; an admin has all."""
        return self.role == "admin" or self.role in roles


#: Everybody on a loopback-only server without tokens.
LOCAL = Principal("local", "admin")


def is_local_host(host: bytes | None) -> bool:
    """Whether a Host header names this machine: a page elsewhere cannot rebind its name to us."""
    name = (host or b"").strip().lower()
    bare = name.partition(b"]")[0] + b"]" if name.startswith(b"[") else name.partition(b":")[0]
    return bare in _LOCAL_HOSTS


class TokenBook:
    """The tokens of one home, re-read when their file changes.

    ``epoch`` changes whenever an earlier verdict could differ now (a file change, an expiry).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._entries: dict[str, TokenEntry] = {}
        self._broken = False
        self.epoch = 0

    @property
    def required(self) -> bool:
        """Whether a request needs a token: as soon as there is one, or the file is unreadable."""
        return self._broken or bool(self._entries)

    def refresh(self, now_us: int) -> None:
        """Read the file again if it changed; drop expired tokens. Never raises."""
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
        except FileNotFoundError:
            # Tokens that were there and vanish must not open the door until a restart.
            self._replace(None, {}, broken=self._broken or bool(self._entries))
            return
        except OSError:
            return
        if stamp != self._stamp:
            self._load(stamp)
        expired = [
            digest
            for digest, entry in self._entries.items()
            if entry.expires_us is not None and entry.expires_us <= now_us
        ]
        if expired:
            kept = {d: e for d, e in self._entries.items() if d not in expired}
            self._replace(self._stamp, kept, broken=True if not kept else self._broken)

    def _load(self, stamp: tuple[int, int]) -> None:
        try:
            read = msgspec.json.decode(self._path.read_bytes(), type=list[TokenEntry])
        except (OSError, msgspec.MsgspecError) as error:
            structlog.get_logger("serving.rest").error("tokens_unreadable", error=str(error))
            self._replace(stamp, {}, broken=True)
            return
        # A file that lists nobody means that every token was revoked, not that none is needed.
        self._replace(stamp, {entry.digest: entry for entry in read}, broken=not read)

    def _replace(
        self, stamp: tuple[int, int] | None, entries: dict[str, TokenEntry], *, broken: bool
    ) -> None:
        if entries != self._entries or broken != self._broken:
            self.epoch += 1
        self._stamp, self._entries, self._broken = stamp, entries, broken

    def principal(self, authorization: bytes | None, host: bytes | None) -> Principal | None:
        """Who a request with these headers comes from; None if nobody we know."""
        if not self.required:
            return LOCAL if is_local_host(host) else None
        scheme, _, token = (authorization or b"").partition(b" ")
        if scheme.lower() != b"bearer" or not token:
            return None
        # A lookup by digest: comparing digests leaks nothing about the token.
        entry = self._entries.get(hashlib.sha256(token.strip()).hexdigest())
        return None if entry is None else Principal(entry.name, entry.role)
