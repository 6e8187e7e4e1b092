"""The service that a gateway stands before: says what reached it, and can be slow."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2

SLOW_SECONDS = 0.4


@dataclass
class ServiceBehind:
    """Where it listens, and the most requests that it has seen at the same time."""

    port: int = 0
    running: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def most_at_once(self, port: int, requests: int) -> int:
        """How many of so many slow requests, sent at once to a gateway, ran at the same time.

        None of them may be refused: what has no slot waits for one.
        """

        def status(_: int) -> int:
            with httpx2.Client(timeout=10, verify=False, trust_env=False) as client:
                url = f"http://127.0.0.1:{port}/slow"
                return client.get(url, headers={"X-API-Key": "key-1"}).status_code

        self.most = 0
        with ThreadPoolExecutor(requests) as pool:
            assert list(pool.map(status, range(requests))) == [200] * requests
        return self.most


@contextmanager
def service_behind() -> Iterator[ServiceBehind]:
    facts = ServiceBehind()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with facts.lock:
                facts.running += 1
                facts.most = max(facts.most, facts.running)
            try:
                if self.path.startswith("/slow"):
                    time.sleep(SLOW_SECONDS)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = json.dumps(headers).encode()
                self.send_response(403 if self.path.startswith("/forbidden") else 200)
                if self.path.startswith("/tokens"):
                    self.send_header("X-Flyball-Units", "ai.tokens=60")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
            finally:
                with facts.lock:
                    facts.running -= 1
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  # the standard library's name

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a gateway that is killed leaves connections behind

    with Server(("127.0.0.1", 0), Handler) as server:
        facts.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield facts
        finally:
            server.shutdown()
            thread.join()
