"""The provider's way in, where one is configured and its library is installed."""

from __future__ import annotations

from fastapi import APIRouter

from console.access.openid_settings import OpenIdSettings
from flyball.errors import InvalidInput


def routes(settings: OpenIdSettings) -> APIRouter:
    """The routes of signing in through the provider of ``settings``.

    Raises
    ------
    InvalidInput
        The extra is not installed, or the client's secret is not in the environment.
    """
    try:
        # Only consoles with a provider load what checks its tokens.
        from console.access import openid_pages
        from console.access.openid_provider import OpenIdProvider
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "joserfc":
            raise
        raise InvalidInput(
            "[console.oidc] needs a library that is not installed.",
            'Install the extra: pip install "flyball[oidc]".',
            field="console.oidc",
        ) from None
    return openid_pages.routes(OpenIdProvider(settings, settings.secret()))
