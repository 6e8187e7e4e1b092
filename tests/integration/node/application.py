"""A Python service behind the middleware, on a real uvicorn and a real socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from prometheus_client import CollectorRegistry

from flyball.asgi import FlyballMiddleware, ThrottleSettings
from serving.listening import listen_tcp
from serving.middleware.asgi import Receive, Scope, Send

#: API keys that the application knows; nothing else says who a client is.
KEYS = {b"secret-1": "ent_1", b"secret-2": "ent_2", b"secret-3": "ent_3"}


def identify(scope: Scope) -> str | None:
    return KEYS.get(dict(scope["headers"]).get(b"x-api-key", b""))


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


class Application:
    """Asks the running application as one of its clients."""

    def __init__(self, port: int, registry: CollectorRegistry, folder: Path) -> None:
        self._client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        self.passed: dict[str, int] = {}
        self.registry = registry
        self.folder = folder

    def get(self, key: str = "secret-1", **headers: str) -> httpx2.Response:
        answer = self._client.get("/v1/things", headers={"x-api-key": key, **headers})
        # What passes before the node has anything is not counted.
        held = answer.status_code == 200 and answer.headers.get("flyball-state") != "open"
        self.passed[key] = self.passed.get(key, 0) + held
        return answer

    def passing(self, key: str = "secret-1", most: int = 10_000) -> int:
        count = 0
        while count < most and self.get(key).status_code == 200:
            count += 1
        return count

    def wait_for(self, true: Callable[[httpx2.Response], bool], *, key: str = "secret-1") -> float:
        """Ask until an answer is as it should be; how long that took, in seconds."""
        began = time.monotonic()
        while not true(answer := self.get(key)):
            assert time.monotonic() - began < 20, answer.headers
            time.sleep(0.02)
        return time.monotonic() - began

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def close(self) -> None:
        self._client.close()


@contextmanager
def application(url: str, key: Path, folder: Path, **more: Any) -> Iterator[Application]:
    registry = CollectorRegistry()
    more.setdefault("settings", ThrottleSettings(plan_url="https://example.com/plan"))
    app = FlyballMiddleware(
        hello,
        url=url,
        key=key,
        directory=folder,
        identify=identify,
        name="edge-1",
        registry=registry,
        **more,
    )
    sock = listen_tcp("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    running = Application(sock.getsockname()[1], registry, folder)
    try:
        yield running
    finally:
        running.close()
        server.should_exit = True
        thread.join(20)
        sock.close()
    assert not thread.is_alive()
