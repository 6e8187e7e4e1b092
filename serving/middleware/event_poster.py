"""Posting usage to the service: one request a batch, with a deadline, from a thread of its own."""

from __future__ import annotations

import http.client

import structlog

from serving.node.service_address import ServiceAddress

_BATCH = "application/cloudevents-batch+json"
TIMEOUT_SECONDS = 10.0


class EventPoster:
    """Posts batches to ``POST /v1/events`` of a service.

    Parameters
    ----------
    url:
        The service, such as ``http://flyball:8080``.
    token:
        Bearer token of role ``ingest``; None where the service needs none.
    """

    def __init__(self, url: str, *, token: str | None = None) -> None:
        self._address = ServiceAddress.parse(url)
        self._headers = {"content-type": _BATCH}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        self._log = structlog.get_logger("serving.middleware")

    def __call__(self, body: bytes) -> bool:
        """Post one batch; True once it need not be posted again. Never raises."""
        connection = self._address.connect(TIMEOUT_SECONDS)
        try:
            connection.request(
                "POST", self._address.path + "/v1/events", body=body, headers=self._headers
            )
            answer = connection.getresponse()
            said = answer.read(4096)
        except (OSError, http.client.HTTPException) as error:
            self._log.warning("usage_not_posted", error=str(error))
            return False
        finally:
            connection.close()
        if answer.status == 202:
            return True
        # 400 and 413 will be the same next time; tokens and servers can be put right.
        lost = answer.status in (400, 413, 415, 422)
        self._log.warning(
            "usage_refused",
            status=answer.status,
            lost=lost,
            said=said[:500].decode("utf-8", "replace"),
        )
        return lost
