"""P5: one tenant scored on demand over HTTP, against servers of models with the same graphs.

Every server runs one process, listens on the loopback interface and takes turns under one loader
(wrk, 16 connections, other rows in every request). Ours answers ``:evaluate``: features from the
published table, hazards and arm effects, policy, rules, and the decision in force. The others are
sent a row of features and answer with the hazards only, which is less. Beside them the bare calls
of onnxruntime in a loop.

MLflow comes with the extra ``train``. MLServer, BentoML and Ray Serve are installed into
environments of their own below ``--environments`` (default: a temporary folder), and only with
``--others NAME``, because that takes minutes and hundreds of megabytes; what cannot be installed or
started is said, and left out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.model_servers import RIVALS, Rival, install
from benchmarks.promise import at_least, line
from benchmarks.scoring import ARMS, SEGMENTS, _fitted, _session
from benchmarks.serving import Server, _latency_us, free_port, make_home
from features.catalogue import feature_hash, feature_names
from flyball.case import Case
from flyball.decision import Assignment, Decision, Mode
from flyball.home import Home
from flyball.instant import DAY_US
from flyball.limit import Limit
from flyball.outlook import Outlook
from flyball.policies.registry import policy_named
from flyball.round import Round
from flyball.state import TenantState
from models.bundle import Bundle, write_bundle
from models.signature import load_private_key
from serving.evaluating.layout import FILE_NAME
from serving.evaluating.publication import FeaturePublication
from training.export.draft import Training, draft_bundle
from training.outcome_model import OUTCOMES

_CONNECTIONS = 16
_TENANTS = 20_000
_BODIES = 512


def measure(
    quick: bool, *, others: Sequence[str] = (), environments: Path | None = None
) -> list[dict[str, Any]]:
    """P5's figures; servers named in ``others`` are installed below ``environments``."""
    if shutil.which("wrk") is None:
        raise RuntimeError("P5 needs the load generator wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder, ExitStack() as stack:
        root = Path(folder)
        bundle, rows = _bundle()
        model = root / "hazards.onnx"
        model.write_bytes(bundle.graphs["hazards.onnx"])
        bare = _bare_rate(bundle, rows)
        port = free_port()
        ours = stack.enter_context(_running("ours", _ours(root, bundle, rows, port), port, root))
        ours.pattern = "worker_process"
        scripts = {"ours": _our_script(root)}
        rivals = []
        for rival in RIVALS:
            if rival.packages and rival.name not in others:
                continue
            started = _start(stack, rival, root, model, environments or root)
            if started is not None:
                rivals.append((rival, started))
                scripts[rival.name] = _rival_script(root, rival, rows)
        servers = [ours, *(server for _, server in rivals)]
        _turns(servers, scripts, 3 if quick else 7, 2 if quick else 5)
    return _figures(ours, rivals, bare)


def _start(
    stack: ExitStack, rival: Rival, root: Path, model: Path, environments: Path
) -> Server | None:
    found = install(rival, environments, 900)
    if isinstance(found, str):
        print(f"P5 leaves {rival.name} out: {found}", file=sys.stderr)
        return None
    port = free_port()
    try:
        command = rival.start(found, root, model, port)
        server = stack.enter_context(_running(rival.name, command, port, root, 90))
    except (OSError, ImportError) as error:
        print(f"P5 leaves {rival.name} out: it does not start ({error})", file=sys.stderr)
        return None
    return server


def _ours(root: Path, bundle: Bundle, rows: Any, port: int) -> Sequence[str]:
    home = make_home(root / "home", _TENANTS)
    write_bundle(home.bundles / bundle.version, bundle, load_private_key(home.signing_key))
    _publish_features(home, bundle, rows)
    command = [sys.executable, "-m", "commands", "--home", str(home.root), "serve"]
    return [*command, "--port", str(port), "--workers", "1", "--data-path-only"]


def _publish_features(home: Home, bundle: Bundle, rows: Any) -> None:
    now_us = time.time_ns() // 1_000
    this = Round(
        as_of_us=now_us,
        policy=policy_named("risk_rule"),
        model_version=bundle.version,
        feature_hash=feature_hash(),
    )
    limits = (Limit(base=10_000, contract=7_000),)
    cases = [
        Case(
            state=TenantState(
                tenant_id=f"ent_{number}",
                segment=SEGMENTS[number % 3],
                plan="pro",
                limits=limits,
                created_us=now_us - 400 * DAY_US,
                features_us=now_us,
            ),
            outlook=Outlook(hazards=None, effects={}, demand_per_period=1e6),
        )
        for number in range(_TENANTS)
    ]
    decisions = [
        Decision(
            decision_id=f"d_{number:016x}",
            tenant_id=case.state.tenant_id,
            organisation=case.state.tenant_id,
            mode=Mode.LIVE,
            assignment=Assignment.DRAWN,
            period_start_us=now_us,
            period_days=7,
            decided_us=now_us,
            arm=(arm := ARMS[number % 5]),
            served_arm=arm,
            proposed_arm=arm,
            offered={arm: 1.0},
            propensity=1.0,
            reasons=("explored",),
            policy="risk_rule",
        )
        for number, case in enumerate(cases)
    ]
    columns: dict[str, Any] = {"segment": [case.state.segment for case in cases]}
    columns |= {f"blocked_{arm}": np.full(_TENANTS, arm / 1_000) for arm in ARMS}
    columns |= {name: rows[:_TENANTS, at] for at, name in enumerate(feature_names())}
    publication = FeaturePublication(home.snapshot / FILE_NAME)
    publication.publish_all(
        this, pa.table(columns), cases, decisions, bundle.manifest, created_us=now_us
    )
    publication.close()


def _bundle() -> tuple[Bundle, Any]:
    """Three boosted models of 200 trees over the catalogue's features, and rows to score."""
    random = np.random.default_rng(0)
    names = feature_names()
    rows = random.normal(size=(_TENANTS, len(names))).astype(np.float32)
    mean = random.normal(0, 0.01, (len(SEGMENTS) + 1, len(ARMS), 3))
    mean[:, ARMS.index(100)] = 0.0
    bundle = draft_bundle(
        Training(
            version="benchmark",
            created_us=1,
            as_of_us=1,
            features=names,
            feature_hash=feature_hash(),
            factor_groups={f"g{at}": names[at::6] for at in range(6)},
            outcomes=[_fitted(name, rows, seed) for seed, name in enumerate(OUTCOMES)],
            arms=ARMS,
            period_days=7,
            segments=SEGMENTS,
            effect_mean=mean,
            effect_sd=np.abs(mean),
            effect_trust=np.full(mean.shape[:2], 2),
            sample=rows,
        )
    )
    return bundle, rows


def _bare_rate(bundle: Bundle, rows: Any) -> float:
    """One-row calls of both graphs a second, in a loop on one core."""
    hazards, effects = (_session(bundle, name, 1) for name in ("hazards.onnx", "effects.onnx"))
    segment, dose = np.zeros(1, np.int64), np.zeros((1, len(ARMS)), np.float32)
    began, count = time.perf_counter(), 5_000
    for number in range(count):
        x = rows[number : number + 1]
        hazards.run(None, {"x": x})
        effects.run(None, {"x": x, "segment": segment, "dose": dose})
    return count / (time.perf_counter() - began)


def _our_script(root: Path) -> Path:
    script = root / "ours.lua"
    script.write_text(
        "wrk.method = 'POST'\n"
        "wrk.headers['content-type'] = 'application/json'\n"
        "request = function() return wrk.format(nil, '/v1/decisions/ent_' .. "
        f"math.random(0, {_TENANTS - 1}) .. ':evaluate', nil, "
        'string.format(\'{"demand": %d, "concurrency": %d}\', math.random(1, 20000), '
        "math.random(1, 40))) end\n"
    )
    return script


def _rival_script(root: Path, rival: Rival, rows: Any) -> Path:
    bodies = [rival.body([round(float(v), 4) for v in rows[at]]) for at in range(_BODIES)]
    script = root / f"{rival.name.replace(' ', '-')}.lua"
    listed = ",\n".join(f"[==[{body}]==]" for body in bodies)
    script.write_text(
        f"local bodies = {{{listed}}}\n"
        "wrk.method = 'POST'\n"
        "wrk.headers['content-type'] = 'application/json'\n"
        f"request = function() return wrk.format(nil, '{rival.path}', nil, "
        f"bodies[math.random(1, {_BODIES})]) end\n"
    )
    return script


@contextmanager
def _running(
    name: str, argv: Sequence[str], port: int, root: Path, seconds: float = 60
) -> Iterator[Server]:
    """Start a server in ``root`` and stop it, with everything that it started, at the end."""
    path = root / f"{name.replace(' ', '-')}.log"
    # Some start their own helpers by name, which must be those of their environment.
    places = [str(Path(argv[0]).parent), os.environ.get("PATH", "")]
    environment = {**os.environ, "PATH": os.pathsep.join(places), "PYTHONPATH": ""}
    if name == "ours":
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    log = path.open("wb")
    process = subprocess.Popen(
        argv, stdout=log, stderr=log, start_new_session=True, cwd=root, env=environment
    )
    try:
        _wait(process, port, seconds, path)
        yield Server(name, port, process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


def _wait(process: subprocess.Popen[bytes], port: int, seconds: float, log: Path) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2)
            return
        except urllib.error.HTTPError:
            return
        except OSError as error:
            if process.poll() is not None:
                said = log.read_text("utf-8", "replace").strip()[-300:]
                raise OSError(f"it ended with {process.returncode}: {said}") from error
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _wrk(server: Server, script: Path, seconds: float) -> None:
    before, began = server.cpu_seconds(), time.perf_counter()
    command = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds:.0f}s", "--latency"]
    command += ["-s", str(script), f"http://127.0.0.1:{server.port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    spent, elapsed = server.cpu_seconds() - before, time.perf_counter() - began
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found, done.stdout
    assert "Non-2xx" not in done.stdout, f"{server.name} refuses: {done.stdout}"
    count = max(1, int(found[1]))
    server.rates.append(count / elapsed)
    server.cpu_us.append(spent / count * 1e6)
    server.p50_us.append(_latency_us(done.stdout, "50%"))
    server.p99_us.append(_latency_us(done.stdout, "99%"))


def _turns(
    servers: Sequence[Server], scripts: dict[str, Path], rounds: int, seconds: float
) -> None:
    for server in servers:
        _wrk(server, scripts[server.name], 1)
        for values in (server.rates, server.cpu_us, server.p50_us, server.p99_us):
            values.clear()
    for _ in range(rounds):
        for server in servers:
            _wrk(server, scripts[server.name], seconds)


def _figures(
    ours: Server, rivals: Sequence[tuple[Rival, Server]], bare: float
) -> list[dict[str, Any]]:
    rate = statistics.median(ours.rates)
    reported = {"met": None, "goal": "-"}
    rows = [
        at_least("P5", "evaluations/s against bare onnxruntime in a loop", rate, bare, "1/s", 0)
        | reported,
        at_least("P5", "p50 and p99 of an evaluation", statistics.median(ours.p50_us),
                 statistics.median(ours.p99_us), "us", 0) | reported,
    ]  # fmt: skip
    for rival, server in rivals:
        theirs = statistics.median(server.rates)
        rows.append(
            at_least("P5", f"evaluations/s against {rival.name}", rate, theirs, "1/s", rival.goal)
        )
        rows.append(
            at_least("P5", f"server CPU an answer against {rival.name}",
                     statistics.median(ours.cpu_us), statistics.median(server.cpu_us), "us", 0)
            | reported
        )  # fmt: skip
    return rows


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="longer rounds")
    names = [rival.name for rival in RIVALS if rival.packages]
    parser.add_argument("--others", nargs="+", choices=names, default=[], help="install these too")
    parser.add_argument("--environments", type=Path, help="where their environments lie")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flyball-rivals-") as folder:
        others = arguments.environments or Path(folder)
        found = measure(not arguments.full, others=arguments.others, environments=others)
        for row in found:
            print(line(row))


if __name__ == "__main__":
    main()
