"""A gateway before a running service: it asks for decisions and posts what it counted."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import pyarrow as pa

from simulation.calendar_week import instant_us
from simulation.product import ProductFailed

#: The service takes at most so many events, and answers for at most so many tenants, a request.
_EVENTS, _TENANTS = 5_000, 500
_TIMEOUT_S = 60.0
_SOURCE = "simulated-gateway"
_BATCH = "application/cloudevents-batch+json"


@dataclass(slots=True)
class Receipts:
    """What became of everything that was posted."""

    accepted: int = 0
    duplicate: int = 0
    pending: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Events that the service has answered for."""
        return self.accepted + self.duplicate + self.pending + self.rejected

    def add(self, answer: Mapping[str, Any]) -> None:
        """One answer of ``POST /v1/events``."""
        self.accepted += answer["accepted"]
        self.duplicate += answer["duplicate"]
        self.pending += answer["pending"]
        self.rejected += len(answer["rejected"])
        for each in answer["rejected"]:
            self.reasons[each["code"]] = self.reasons.get(each["code"], 0) + 1


class Gateway:
    """Speaks HTTP to ``url`` over one connection that is kept.

    Raises
    ------
    ProductFailed
        The service did not answer, or with anything but success.
    """

    def __init__(self, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection: http.client.HTTPConnection | None = None
        self.receipts = Receipts()
        self.posted = 0
        self.lookup_s: list[float] = []

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def post(self, usage: pa.Table) -> None:
        """Post usage (columns of :data:`simulation.delivery.SCHEMA`) in its order."""
        for start in range(0, usage.num_rows, _EVENTS):
            events = cloud_events(usage.slice(start, _EVENTS))
            answer = self._ask("POST", "/v1/events", events, media=_BATCH, expected=202)
            self.receipts.add(answer)
            self.posted += len(events)

    def put_account(self, row: Mapping[str, object]) -> None:
        """Tell a version of an account."""
        tenant = quote(str(row["tenant_id"]), safe="")
        known = {name: value for name, value in row.items() if value is not None}
        self._ask("PUT", f"/v1/accounts/{tenant}", known)

    def tell_subscriptions(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Tell what happened to subscriptions."""
        if rows:
            self._ask("POST", "/v1/subscriptions", list(rows), expected=202)

    def decisions(self, tenants: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What is served to each tenant now, in batches."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(tenants), _TENANTS):
            asked = {"tenantIds": list(tenants[start : start + _TENANTS])}
            answer = self._ask("POST", "/v1/decisions:batchGet", asked)
            found.update({each["tenantId"]: each for each in answer["decisions"]})
        return found

    def decision(self, tenant: str) -> dict[str, Any]:
        """What is served to one tenant, as before a request; how long it took is kept."""
        began = time.perf_counter()
        answer = self._ask("GET", f"/v1/decisions/{quote(tenant, safe='')}")
        self.lookup_s.append(time.perf_counter() - began)
        return answer

    def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        media: str = "application/json",
        expected: int = 200,
    ) -> dict[str, Any]:
        payload = None if body is None else json.dumps(body).encode()
        headers = dict(self._headers)
        if payload is not None:
            headers["Content-Type"] = media
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(
                    self._host, self._port, timeout=_TIMEOUT_S
                )
            self._connection.request(method, path, payload, headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ProductFailed(f"{method} {path} was not answered: {error}") from error
        if answer.status != expected:
            said = text[:300].decode(errors="replace")
            raise ProductFailed(f"{method} {path} answered {answer.status}: {said}")
        found: dict[str, Any] = json.loads(text)
        return found


def cloud_events(usage: pa.Table) -> list[dict[str, Any]]:
    """Usage rows as CloudEvents 1.0."""
    names = ("id", "tenant_id", "meter", "quantity")
    columns: Iterable[Any] = zip(
        *(usage[name].to_pylist() for name in names),
        usage["time"].cast(pa.int64()).to_pylist(),
        strict=True,
    )
    return [
        {
            "specversion": "1.0",
            "id": identity,
            "source": _SOURCE,
            "type": meter,
            "subject": tenant,
            "time": instant_us(time_us),
            "data": {"quantity": quantity},
        }
        for identity, tenant, meter, quantity, time_us in columns
    ]
