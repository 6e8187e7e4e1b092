"""Real Chromium against a real ``flyball serve``. Ask for ``visit``; it watches every page.

``visit("amara", javascript=False, theme="dark", width=390)`` gives a page signed in as that user
(None: nobody). When the test ends, it fails if any page logged an error to its console or asked
for anything that is not ours. ``accessible(page)`` asserts that axe-core finds nothing;
``shot(page, "name")`` writes a screenshot to ``shots`` (a temporary folder, or CONSOLE_SHOTS).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, Request, sync_playwright

from flyball.home import Home
from ledger.follow_up import TaskState
from ledger.sqlite_ledger import SqliteLedger
from tests.browser.population import PASSWORD, fill

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome")
                 if (path := shutil.which(name))), None)  # fmt: skip
_FLAGS = (
    "--no-sandbox", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage",
)  # fmt: skip
_AXE = Axe()
#: Pages on which axe-core would wait for ever.
_SCRIPTLESS: list[Page] = []


@dataclass(frozen=True)
class Running:
    """A served home: ``console`` and ``api`` are addresses without a path."""

    home: Home
    console: str
    api: str
    log: Path

    def ledger(self) -> SqliteLedger:
        """Another handle on its ledger; close it."""
        return SqliteLedger(self.home.ledger)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`flyball serve` with its console over a simulated population, one for all browser tests."""
    with served(tmp_path_factory.mktemp("console")) as running:
        yield running


@contextmanager
def served(folder: Path) -> Iterator[Running]:
    """Fill a home in ``folder`` and serve it."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium (apt-get install chromium)")
    home = Home(folder / "home")
    fill(home, folder)
    log = folder / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "commands", "--home", str(home.root), "serve"),
                *("--port", "0", "--console-port", "0", "--workers", "1"),
            ],
            stdout=output,
            stderr=output,
        )
    try:
        yield _started(home, log, process)
    finally:
        process.terminate()
        process.wait(20)


def _started(home: Home, log: Path, process: subprocess.Popen[bytes]) -> Running:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        text = log.read_text(errors="replace")
        found = re.findall(r"http://127\.0\.0\.1:\d+", text)
        if "The console is on" in text and len(found) >= 2 and _answers(found[-1]):
            return Running(home, found[-1], found[0], log)
        time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace"))


def _answers(console: str) -> bool:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{console}/console/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


Answer = Callable[[str], dict[str, Any]]


@pytest.fixture
def answer(service: Running) -> Answer:
    """What a gateway is told about a tenant."""
    import urllib.request

    def asked(tenant: str) -> dict[str, Any]:
        address = f"{service.api}/v1/decisions/{tenant}"
        with urllib.request.urlopen(address, timeout=5) as got:
            read: dict[str, Any] = json.load(got)
            return read

    return asked


def seconds_until(holds: Callable[[], bool], *, most: float = 5.0) -> float:
    """How long it takes, at most ``most`` seconds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < most, "the gateway never heard of it"
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture
def accounts(service: Running) -> list[str]:
    """Tenants of amara's."""
    with service.ledger() as ledger:
        found = ledger.accounts_as_of(time.time_ns() // 1_000)
    return [name for name, account in found.items() if account.owner == "amara"]


def names_of(service: Running, tenant: str) -> dict[str, str]:
    """What stands for the parameters in the addresses of pages; the account gets a task."""
    now_us = time.time_ns() // 1_000
    with service.ledger() as ledger:
        user = ledger.user_named("bjorn")
        assert user is not None
        if not any(task.state is TaskState.OPEN for task in ledger.tasks(tenant)):
            ledger.add_tasks(
                [tenant], "Look closer", due_us=None, assignee="ann", author="ann", now_us=now_us
            )
        task = ledger.tasks(tenant)[0]
    return {"tenant_id": tenant, "user_id": user.user_id, "task_id": str(task.task_id)}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module's tests.

    Not for the session: while the driver lives, its event loop counts as running in this thread,
    and tests of other rooms that come later in the same process could run none of their own.
    """
    if CHROMIUM is None:
        pytest.skip("needs Chromium (apt-get install chromium)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def cookies() -> dict[str, object]:
    """Signed-in states by address and user, filled as they are asked for."""
    return {}


Visit = Callable[..., Page]


@pytest.fixture
def visit(service: Running, chromium: Browser, cookies: dict[str, object]) -> Iterator[Visit]:
    """Open a page as somebody; what it logs and asks for is checked when the test ends."""
    contexts, wrong = [], list[str]()

    def watch(request: Request) -> None:
        if not request.url.startswith((service.console, "data:", "blob:")):
            wrong.append(f"asked for {request.url}")

    def opened(
        login: str | None = "ann",
        *,
        javascript: bool = True,
        theme: str = "light",
        width: int = 1440,
        height: int = 900,
    ) -> Page:
        state = _signed_in(chromium, service.console, login, cookies) if login else None
        context = chromium.new_context(
            base_url=service.console,
            java_script_enabled=javascript,
            color_scheme=theme,  # type: ignore[arg-type]
            viewport={"width": width, "height": height},
            storage_state=state,  # type: ignore[arg-type]
        )
        contexts.append(context)
        context.on("request", watch)
        page = context.new_page()
        if not javascript:
            _SCRIPTLESS.append(page)
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: wrong.append(f"script error: {error}"))
        page.on(
            "console",
            lambda message: (
                wrong.append(f"{message.type}: {message.text} ({page.url})")
                # Browsers report every refused answer; tests that provoke one look at the page.
                if message.type in ("error", "warning") and "status of 4" not in message.text
                else None
            ),
        )
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def _signed_in(
    browser: Browser, console: str, login: str, cookies: dict[str, object]
) -> dict[str, object]:
    known = f"{login} at {console}"
    if known not in cookies:
        context = browser.new_context(base_url=console)
        page = context.new_page()
        page.goto("/console/sign-in")
        page.get_by_label("Login").fill(login)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/console/")
        cookies[known] = context.storage_state()
        context.close()
    return cookies[known]  # type: ignore[return-value]


def accessible(page: Page) -> None:
    """Assert that axe-core finds nothing on the page as it is; it needs a page with scripts."""
    assert page not in _SCRIPTLESS, "axe-core runs scripts: ask with javascript=True"
    found = _AXE.run(page, options={"resultTypes": ["violations"]})
    told = [
        f"{item['id']}: {item['help']}: {[node['target'] for node in item['nodes']][:4]}"
        for item in found.response["violations"]
    ]
    assert told == []


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go; CONSOLE_SHOTS names another folder to look at them."""
    folder = os.environ.get("CONSOLE_SHOTS")
    path = Path(folder) if folder else tmp_path_factory.mktemp("shots")
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def shot(shots: Path) -> Callable[[Page, str], None]:
    """Write a screenshot of what a window of 1,400 pixels' height shows, under a name."""

    def take(page: Page, name: str) -> None:
        size = page.viewport_size or {"width": 1440, "height": 900}
        page.set_viewport_size({"width": size["width"], "height": 1400})
        page.screenshot(path=shots / f"{name}.png")
        page.set_viewport_size(size)

    return take
