"""The console at thousands of accounts, and what its visitors cost those who ask for decisions.

``python -m benchmarks.console --accounts 5000,50000`` runs the real service with its console over a
synthetic home. wrk asks for decisions at a steady rate all the time; in every second round people
who signed in load pages as well. A page's time is that of the whole answer over a kept connection
on the same machine, so it is never below the server's own. CPU is the operating system's accounting
of the workers that answer decisions; wrk and the visitors share the machine's cores with them.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.console_home import LOGIN, OWNERS, PASSWORD, SEGMENTS, make_home, name, tenant
from benchmarks.promise import at_most
from benchmarks.serving import Server, free_port, load_with_wrk, running
from serving.clock import wall_us

_GOAL_MS = 200.0
_MOVES = 1.2
#: Pages a second of all visitors together: fifty people who open one every ten seconds.
_PAGES_PER_SECOND = 5.0
_VISITORS = 5
#: How long one of wrk's 32 connections waits between two questions, in ms: about 4,000 a second.
_DELAY_MS = (4, 12)
_QUIET_SHARE = 0.15


@dataclass
class Visits:
    """What the visitors met: seconds of every answer by kind of page, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)

    def p95_ms(self, kind: str) -> float:
        """The 95th percentile of a kind of page, in ms; NaN if nobody opened one."""
        return percentile(self.seconds.get(kind, ()), 0.95) * 1e3


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed; NaN of none."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    return ordered[max(0, -(-round(share * 1e6) * len(ordered) // 1_000_000) - 1)]


def pages(accounts: int) -> Mapping[str, Callable[[random.Random], tuple[str, str]]]:
    """Kinds of pages, each to a way to draw an address and a text that its page must hold."""

    def some_list(rng: random.Random) -> tuple[str, str]:
        filters: tuple[dict[str, str], ...] = (
            {}, {"sort": "-churn"}, {"sort": "account"}, {"sort": "-change"}, {"limit": "neutral"},
            {"sort": "-arr", "page": "3"}, {"segment": rng.choice(SEGMENTS)}, {"renewal": "60"},
            {"owner": f"owner{rng.randrange(OWNERS):02d}"},
        )  # fmt: skip
        return f"/console/?{urlencode(rng.choice(filters))}", "</table>"

    def search(rng: random.Random) -> tuple[str, str]:
        sought = name(rng.randrange(accounts))
        return f"/console/?{urlencode({'q': sought.lower()})}", sought

    def account(rng: random.Random) -> tuple[str, str]:
        number = rng.randrange(accounts)
        return f"/console/accounts/{tenant(number)}", name(number)

    def portfolio(rng: random.Random) -> tuple[str, str]:
        by = rng.choice(("segment", "owner", "region", "plan"))
        return f"/console/portfolio?by={by}", "</table>"

    return {"list": some_list, "search": search, "account page": account, "portfolio": portfolio}


class Browser:
    """A kept connection to the console that holds its cookies and asks for one page at a time."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._cookies: dict[str, str] = {}

    def ask(self, path: str, form: Mapping[str, str] | None = None) -> tuple[int, str]:
        """The status and text that ``path`` answers with; ``form`` is posted."""
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        body = None
        if form is not None:
            body = urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request("GET" if form is None else "POST", path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            key, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[key] = value
        return answer.status, text

    def sign_in(self) -> None:
        """Through the door, as a person would.

        Raises
        ------
        RuntimeError
            The console did not let them in.
        """
        _, text = self.ask("/console/sign-in")
        token = re.search(r'name="csrf"[^>]*value="([^"]+)"', text)
        if token is None:
            raise RuntimeError(f"no sign-in form: {text[:500]}")
        form = {"csrf": token[1], "login": LOGIN, "password": PASSWORD}
        status, text = self.ask("/console/sign-in", form)
        if status != 303:
            raise RuntimeError(f"signing in answered {status}: {text[:500]}")

    def close(self) -> None:
        """End the connection; cookies stay, and another request opens another."""
        self._connection.close()


def visit(
    browser: Browser, accounts: int, visits: Visits, until: threading.Event, seed: int
) -> None:
    """Open pages of each kind in turn at this visitor's share of the rate, until told to stop."""
    rng = random.Random(seed)
    kinds = list(pages(accounts).items())
    every = _VISITORS / _PAGES_PER_SECOND
    due = time.perf_counter() + rng.uniform(0, every)
    turn = seed
    while not until.wait(max(0.0, due - time.perf_counter())):
        kind, draw = kinds[turn % len(kinds)]
        path, holds = draw(rng)
        began = time.perf_counter()
        try:
            status, text = browser.ask(path)
        except (OSError, http.client.HTTPException) as error:
            visits.wrong.append(f"{path} failed: {error!r}")
            break
        visits.seconds[kind].append(time.perf_counter() - began)
        if status != 200 or holds not in text:
            visits.wrong.append(f"{path} answered {status} without {holds!r}")
        turn += 1
        due = max(due + every, time.perf_counter())
    # The console ends connections that are idle for seconds; the next request opens another.
    browser.close()


def measure(quick: bool) -> list[dict[str, Any]]:
    """The figures of 5,000 accounts; of 50,000 too unless ``quick``."""
    return [
        row for accounts in ((5_000,) if quick else (5_000, 50_000)) for row in figures(accounts)
    ]


def figures(accounts: int, *, rounds: int = 4, seconds: float = 12) -> list[dict[str, Any]]:
    """All figures of one size: ``rounds`` rounds of ``seconds`` each, without and with visitors.

    Raises
    ------
    RuntimeError
        wrk is missing, the service did not come up, or a page was not what was asked for.
    """
    if shutil.which("wrk") is None:
        raise RuntimeError("decisions need the load generator wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        root = Path(folder)
        home = make_home(root, accounts, wall_us())
        _say(f"a home of {accounts:,} accounts is there")
        port, console_port = free_port(), free_port()
        argv = [sys.executable, "-m", "commands", "--home", str(home.root), "serve"]
        argv += ["--port", str(port), "--console-port", str(console_port)]
        with running("flyball", argv, port, "worker_process", patience_s=300) as server:
            _settle(server)
            visits, alone, beside = _rounds(server, console_port, root, accounts, rounds, seconds)
    if visits.wrong:
        raise RuntimeError(f"{len(visits.wrong)} pages were wrong: {visits.wrong[0]}")
    size = f"{accounts:,} accounts"
    rows = [
        at_most("C", f"p95 of the {kind}, {size}", visits.p95_ms(kind), _GOAL_MS, "ms", 1.0)
        for kind in pages(accounts)
    ]
    for what, pick in _DECIDED.items():
        with_us, without_us = (statistics.median(pick(side)) for side in (beside, alone))
        label = f"decision {what} with visitors, {size}"
        rows.append(at_most("C", label, with_us, without_us, "us", _MOVES))
    for kind, times in visits.seconds.items():
        median = statistics.median(times) * 1e3
        _say(f"{kind}: {len(times)} pages, median {median:.0f} ms, slowest {max(times) * 1e3:.0f}")
    _say(f"decisions a second: {statistics.median(alone.rates):.0f} without visitors, "
         f"{statistics.median(beside.rates):.0f} with; load average {os.getloadavg()[0]:.1f} on "
         f"{os.cpu_count()} cores")  # fmt: skip
    return rows


_DECIDED: Mapping[str, Callable[[Server], list[float]]] = {
    "CPU an answer": lambda side: side.cpu_us,
    "p50": lambda side: side.p50_us,
}


def _rounds(
    server: Server, console_port: int, root: Path, accounts: int, rounds: int, seconds: float
) -> tuple[Visits, Server, Server]:
    """The visitors' pages, and the decisions' figures without and with them, taking turns."""
    script = root / "steady.lua"
    low, high = _DELAY_MS
    script.write_text(
        f"request = function() return wrk.format('GET', '/v1/decisions/ent_' .. "
        f"math.random(0, {accounts - 1})) end\n"
        f"delay = function() return math.random({low}, {high}) end\n"
    )
    alone, beside = (
        Server(label, server.port, server.process, server.pattern) for label in ("alone", "beside")
    )
    browsers = [Browser(console_port) for _ in range(_VISITORS)]
    for browser in browsers:
        browser.sign_in()
        browser.close()
    # Compiles the templates and fills SQLite's cache, as the day's first visitor does.
    _visited(alone, script, 3, browsers, accounts, Visits(), 0)
    for figure in (alone.rates, alone.cpu_us, alone.p50_us, alone.p99_us):
        figure.clear()
    visits = Visits()
    for number in range(rounds):
        load_with_wrk(alone, script, seconds)
        _visited(beside, script, seconds, browsers, accounts, visits, number)
    return visits, alone, beside


def _visited(
    server: Server,
    script: Path,
    seconds: float,
    browsers: Sequence[Browser],
    accounts: int,
    visits: Visits,
    number: int,
) -> None:
    """One round of decisions with the visitors there."""
    until = threading.Event()
    threads = [
        threading.Thread(
            target=visit, args=(browser, accounts, visits, until, 1_000 * number + index)
        )
        for index, browser in enumerate(browsers)
    ]
    for thread in threads:
        thread.start()
    try:
        load_with_wrk(server, script, seconds)
    finally:
        until.set()
        for thread in threads:
            thread.join()


def _settle(server: Server, seconds: float = 600) -> None:
    """Wait until the first decisions of all accounts are made and the console has followed them."""
    whole = Server("whole", server.port, server.process)
    began = time.monotonic()
    quiet = 0
    while quiet < 3:
        before = whole.cpu_seconds()
        time.sleep(2)
        quiet = quiet + 1 if whole.cpu_seconds() - before < 2 * _QUIET_SHARE else 0
        if time.monotonic() - began > seconds:
            raise RuntimeError(f"the service did not come to rest within {seconds:.0f} s")
    _say(f"service and console came to rest after {time.monotonic() - began:.0f} s")


def _say(text: str) -> None:
    print(f"console: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Measure the sizes asked for; 0 if every goal is met."""
    from benchmarks.promise import line

    parser = argparse.ArgumentParser(prog="python -m benchmarks.console")
    parser.add_argument("--accounts", default="5000,50000", help="sizes, with commas between them")
    parser.add_argument("--rounds", type=int, default=4, help="rounds with and without visitors")
    parser.add_argument("--seconds", type=float, default=12, help="length of a round")
    arguments = parser.parse_args()
    try:
        sizes = [int(word) for word in arguments.accounts.split(",")]
    except ValueError:
        parser.error("--accounts takes whole numbers with commas between them: 5000,50000")
    if min(sizes) < 1 or arguments.rounds < 1 or arguments.seconds < 1:
        parser.error("--accounts, --rounds and --seconds must be 1 or more")
    rows: list[dict[str, Any]] = []
    for size in sizes:
        found = figures(size, rounds=arguments.rounds, seconds=arguments.seconds)
        for row in found:
            print(line(row), flush=True)
        rows += found
    return int(any(row["met"] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
