"""``[authorize]``: who a request comes from, and what a refusal tells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from flyball.errors import InvalidInput

_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeSettings:
    """``[authorize]``: enforcement for gateways that ask before each request.

    Parameters
    ----------
    tenant_header:
        The request header that names the tenant (or an alias). The gateway sets it after it has
        verified who asks, and removes what a client sent under that name.
    plan_url:
        Where a refused tenant finds its plan (http or https); empty for none.
    """

    tenant_header: str = "x-flyball-tenant"
    plan_url: str = ""

    def __post_init__(self) -> None:
        if not _HEADER.fullmatch(self.tenant_header):
            raise InvalidInput(
                f"authorize.tenant_header {self.tenant_header[:64]!r} is not a header's name.",
                "Write letters, digits and dashes, such as x-flyball-tenant.",
                field="authorize.tenant_header",
            )
        parts = urlsplit(self.plan_url)
        if self.plan_url and (parts.scheme not in ("http", "https") or not parts.netloc):
            raise InvalidInput(
                f"authorize.plan_url {self.plan_url[:128]!r} is not a web address.",
                "Write it like https://example.com/plan.",
                field="authorize.plan_url",
            )
