"""What Flyball adds to a request through each real gateway (nginx, HAProxy, Caddy, Envoy, ASGI).

The shipped configurations, on real processes, over one connection, one request at a time. A gateway
with a local copy is compared with the same gateway that only proxies: at most 50 µs more at p50.
One that asks before each request is compared with itself asking a null service (a bare ASGI app
under uvicorn, a bare grpcio server): a request takes at most 1.5 × as long. Rounds take turns, so
that what else the machine does meets all alike; figures are medians over rounds, and the noise is
half of what the medians of the gateway without Flyball lie apart.

    python -m benchmarks.gateways [--full] [--only WORD]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.gateway_rounds import Way, added_us
from benchmarks.gateway_setups import INTEGRATIONS, Integration, Kind
from benchmarks.gateway_stage import NotInstalled, Stage, stage, until
from benchmarks.promise import at_most, line

#: What a local copy may add to a request at p50, in microseconds.
LOCAL_US = 50.0
#: What asking Flyball may take, as a multiple of asking a null service.
ASKING = 1.5

Ways = dict[Kind, Way]


def measure(
    quick: bool, integrations: Sequence[Integration] = INTEGRATIONS
) -> list[dict[str, Any]]:
    """Latency with each integration; what is not installed is named and left out.

    Raises
    ------
    RuntimeError
        A gateway did not start, or let pass what it should not have: its times mean nothing.
    """
    rounds, requests = (12, 120) if quick else (30, 250)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        shared = stack.enter_context(stage(Path(folder)))
        running = {}
        for number, integration in enumerate(integrations):
            # At its base limit, of 10,000 a minute; and nobody else's requests count with these.
            tenant = f"ent_{number * 5 + 2}"
            try:
                running[integration] = _started(stack, shared, integration, tenant)
            except NotInstalled as missing:
                print(f"{integration.name}: left out: {missing}", file=sys.stderr)
        for integration, ways in running.items():
            for kind, way in ways.items():
                until(way.is_ready, f"a right answer of {integration.name}, {kind},", 30)
        for _ in range(rounds):
            for ways in running.values():
                for way in ways.values():
                    way.round(requests)
        return [row for found in running.items() for row in _rows(*found)]


def _started(stack: ExitStack, shared: Stage, integration: Integration, tenant: str) -> Ways:
    return {
        kind: Way(
            stack.enter_context(integration.start(shared, kind, tenant)),
            enforces=kind is Kind.OURS,
        )
        for kind in integration.kinds
    }


def _rows(integration: Integration, ways: Ways) -> Iterator[dict[str, Any]]:
    for kind, way in ways.items():
        if way.wrong:
            raise RuntimeError(f"{integration.name}, {kind}: {way.wrong} answers were wrong")
    plain, ours = ways[Kind.PLAIN], ways[Kind.OURS]
    print(
        f"{integration.name}: without Flyball p50 {_median(plain.p50_us):.0f} µs "
        f"± {plain.noise_us:.0f} (noise), p99 {_median(plain.p99_us):.0f} µs",
        file=sys.stderr,
    )
    for percentile in ("p50_us", "p99_us"):
        name = f"{integration.name}, {percentile[:3]}"
        added = added_us((ours, plain), percentile)
        if integration.asks:
            null = ways[Kind.NULL]
            bare = added_us((null, plain), percentile)
            print(f"{name}: adds {added:.0f} µs; a null service {bare:.0f} µs", file=sys.stderr)
            mine, theirs = (_median(getattr(way, percentile)) for way in (ours, null))
            yield at_most("G", f"{name}, against a null service", mine, theirs, "µs", ASKING)
        else:
            row = at_most("G", f"{name}: added, against 50 µs", added, LOCAL_US, "µs", 1.0)
            # The promise is about the median; beyond it, a shared machine measures itself.
            yield row if percentile == "p50_us" else {**row, "goal": "-", "met": None}


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def main() -> int:
    """Measure and print; 0 unless something did not run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateways")
    parser.add_argument("--full", action="store_true", help="more rounds")
    parser.add_argument("--only", default="", help="integrations with this word in their name")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    arguments = parser.parse_args()
    chosen = [one for one in INTEGRATIONS if arguments.only.lower() in one.name.lower()]
    rows = measure(not arguments.full, chosen)
    for row in rows:
        print(line(row))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
