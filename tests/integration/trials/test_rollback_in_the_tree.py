"""Harm under a running ``flyball serve``: it takes the champion back, and no answer fails."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import httpx2
import pytest

from flyball.home import Home
from ledger.kill import kill_state
from ledger.sqlite_ledger import open_ledger
from models.current import read_current
from serving.webhooks.secret_file import read_secrets
from serving.webhooks.signature import verify
from tests.integration.robustness.process import Service, flyball, serving, until
from tests.integration.training.live_weeks import live_weeks
from tests.unit.serving_webhooks.receiver import Receiver, receiving
from training.registry import CHAMPION, Registry
from training.tracking import store_of

pytestmark = [pytest.mark.train, pytest.mark.slow]

#: The promise: from evidence to static decisions.
PROMISE_S = 60.0


class Client:
    """Asks for one tenant's decision all the time; every answer and every failure is kept."""

    def __init__(self, url: str, tenant: str) -> None:
        self.said: list[float] = []
        self.failures: list[str] = []
        self._path, self._url = f"/v1/decisions/{tenant}", url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _ask(self) -> None:
        with httpx2.Client(base_url=self._url, timeout=30) as client:
            while not self._stop.is_set():
                try:
                    answer = client.get(self._path)
                    answer.raise_for_status()
                    self.said.append(answer.json()["dynamicMultiplier"])
                except Exception as error:
                    self.failures.append(repr(error))
                time.sleep(0.01)


def up(service: Service) -> None:
    """Wait for the first answer: a busy machine may take long to start a worker."""

    def answered() -> bool:
        try:
            with service.client() as client:
                return client.get("/readyz").status_code == 200
        except httpx2.HTTPError:
            return False

    until(answered, seconds=90, what=service.said)


def tight(service: Service, tenants: tuple[str, ...]) -> str:
    """A tenant that is served 0.85."""

    def found() -> str:
        decisions = {name: service.decision(name)["dynamicMultiplier"] for name in tenants}
        return next((name for name, multiplier in decisions.items() if multiplier == 0.85), "")

    name: str = until(found, seconds=60, what=service.said)
    return name


def test_the_whole_service_takes_a_harmful_champion_back_while_a_client_keeps_asking(
    home: Home, tenants: tuple[str, ...], tmp_path: Path
) -> None:
    with receiving() as receiver:
        with home.settings.open("a") as settings:
            settings.write(f'\n[webhooks]\nurl = "{receiver.url}"\n')
        with serving(home.root) as service:
            up(service)
            tenant = tight(service, tenants)
            with Client(service.url, tenant) as client:
                until(lambda: len(client.said) > 20)
                live_weeks(home, acted_churn=0.15)
                evident = time.monotonic()
                until(lambda: kill_state(home), seconds=PROMISE_S + 20, what=service.said)
                until(lambda: client.said[-1] == 1.0, seconds=10)
                assert time.monotonic() - evident < PROMISE_S + 5
                until(lambda: _pointer(home) == "b0", seconds=20, what=service.said)
                after = len(client.said)
                until(lambda: len(client.said) > after + 50)
            assert client.failures == []
            assert client.said == sorted(client.said)
            assert set(client.said) == {0.85, 1.0}
            _everyone_is_told(home, service, receiver)
        champion = Registry(store_of(home)).holder(CHAMPION)
        assert champion is not None
        assert champion.bundle == "b0"


def _everyone_is_told(home: Home, service: Service, receiver: Receiver) -> None:
    with service.client() as client:
        health = client.get("/v1/health").json()
    assert (health["status"], health["killSwitch"]) == ("attention", True)
    assert [each["kind"] for each in health["notices"]] == ["model_withdrawn"]
    status = flyball(home.root, "status")
    assert "!! notice 1 (critical): Harm was found" in " ".join(status.out.split())
    until(lambda: receiver.got, seconds=10, what=service.said)
    ((headers, body),) = receiver.got
    verify(read_secrets(home.webhook_secrets), headers, body, now_s=time.time())
    assert json.loads(body)["data"]["subject"] == "b1"
    with open_ledger(home) as ledger:
        until(lambda: ledger.outbox_counts().delivered == 1, seconds=5)


def _pointer(home: Home) -> str:
    current = read_current(home.bundles)
    return "" if current is None else current.version
