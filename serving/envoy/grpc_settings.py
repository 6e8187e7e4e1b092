"""``[grpc]``: where Envoy's protocols are served, and how a tenant is named there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flyball.errors import InvalidInput

_LISTEN = re.compile(r"(unix:/.+|\[[0-9a-fA-F:]+\]:\d{1,5}|[A-Za-z0-9.-]+:\d{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcSettings:
    """``[grpc]``: empty ``listen`` serves no gRPC.

    Parameters
    ----------
    listen:
        ``host:port`` or ``unix:/path``. Beyond the loopback interface a token or ``client_ca`` is
        needed.
    tenant_key:
        The descriptor entry and bucket key that names the tenant.
    assignment_seconds:
        How long a quota assignment holds without us (10..3600 s).
    certificate, private_key:
        PEM files to serve TLS with; both or none.
    client_ca:
        PEM file: clients must show a certificate signed by it, which then stands for a token.
    """

    listen: str = ""
    tenant_key: str = "tenant"
    assignment_seconds: int = 60
    certificate: str = ""
    private_key: str = ""
    client_ca: str = ""

    def __post_init__(self) -> None:
        if self.listen and not _LISTEN.fullmatch(self.listen):
            raise InvalidInput(
                f"grpc.listen {self.listen[:64]!r} is no address.",
                "Write it like 127.0.0.1:9090 or unix:/run/flyball.sock.",
                field="grpc.listen",
            )
        if not self.tenant_key:
            raise InvalidInput("grpc.tenant_key is empty.", field="grpc.tenant_key")
        if not 10 <= self.assignment_seconds <= 3_600:
            raise InvalidInput(
                f"grpc.assignment_seconds {self.assignment_seconds} must lie in 10..3600.",
                field="grpc.assignment_seconds",
            )
        if bool(self.certificate) != bool(self.private_key):
            raise InvalidInput(
                "grpc.certificate and grpc.private_key go together.", field="grpc.certificate"
            )
        if self.client_ca and not self.certificate:
            raise InvalidInput(
                "grpc.client_ca needs grpc.certificate and grpc.private_key.",
                field="grpc.client_ca",
            )

    @property
    def host(self) -> str:
        """The host that is listened on; empty for a Unix socket."""
        if self.listen.startswith("unix:"):
            return ""
        return self.listen.rpartition(":")[0]
