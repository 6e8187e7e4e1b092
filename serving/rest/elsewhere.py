"""What a mirror does not do: everything that would write, or read, stores that it has not."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from serving.rest.problem import problem

_PREFIXES = (
    "/v1/events",
    "/v1/accounts",
    "/v1/subscriptions",
    "/v1/plans",
    "/v1/overrides",
    "/v1/experiments",
)
_SUFFIXES = ("/explanation", ":evaluate")


class Elsewhere:
    """Answers 421 where only the service that is mirrored can say anything.

    Telemetry that a mirror took in would be acknowledged and then read by nobody.

    Parameters
    ----------
    url:
        The service that is mirrored.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def takes(self, scope: Scope) -> bool:
        """Whether a request is for the other service."""
        path: str = scope["path"]
        return path.startswith(_PREFIXES) or path.endswith(_SUFFIXES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say where to go."""
        answer = problem(
            421,
            f"This server mirrors decisions and keeps nothing else: ask {self._url}.",
            code="mirror",
        )
        await answer(scope, receive, send)
