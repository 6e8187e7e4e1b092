"""Real request series through the product: is a tenant ever tightened inside a real spike?

    python benchmarks/real_telemetry.py [--data ../shared/data] [--out build/real_telemetry.png]

Each series of the Numenta Anomaly Benchmark is a tenant that is months old, on a plan sized to
its usual busiest hour with 70 % of it under contract. A policy that always proposes 0.85 is
replayed day by day, and in the hours of real spikes, once with the spike rule on and once with it
off. With the rule on no friction may be in force once a spike has been seen; with it off some
must be, or the check could not fail.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Run as a script, this folder comes first on the path, and serving.py in it hides `serving`.
_HERE = Path(__file__).resolve().parent
sys.path[:] = [str(_HERE.parent), *(p for p in sys.path if Path(p).resolve() != _HERE)]

from benchmarks.real_series import Series, load, write_import  # noqa: E402

_DAYS = 56
_FRICTION_ARM = 85
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one tenant's replay showed.

    ``spikes`` are runs of spike hours; ``seen`` as-of hours after which a spike hour is known;
    ``inside_on`` and ``inside_off`` how many of them were under friction with the rule on and off.
    """

    tenant_id: str
    base: int
    peak_share: float
    spikes: int
    seen: int
    inside_on: int
    inside_off: int
    friction_share: float


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 if the check holds (or there is no data), 1 if not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("build/real_telemetry.png"))
    asked = parser.parse_args(argv)
    folder = asked.data / "nab_telemetry"
    if not folder.is_dir():
        print(f"Skipped: {folder} is not there (the Numenta Anomaly Benchmark's data folder).")
        return 0
    series, skipped = load(folder)
    print(f"{len(series)} series; {len(skipped)} shorter than two weeks: {', '.join(skipped)}")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="flyball-real-") as temporary:
        verdicts = judge(series, Path(temporary), asked.out)
    report(verdicts)
    print(f"plot: {asked.out} ({time.perf_counter() - began:.0f} s)")
    return check(verdicts)


def judge(series: list[Series], temporary: Path, picture: Path) -> list[Verdict]:
    """Import, replay with the rule on and off, plot, and compare with the real spikes."""
    from benchmarks.real_plot import plot

    write_import(temporary / "import", series)
    on_home, off_home = temporary / "on", temporary / "off"
    _import(on_home, temporary / "import")
    shutil.copytree(on_home, off_home)
    # Everybody may be tightened at once: a tenant outside the share would prove nothing.
    (on_home / "flyball.toml").write_text("[guardrails]\nfriction_share = 1.0\n")
    (off_home / "flyball.toml").write_text(
        "[guardrails]\nfriction_share = 1.0\nspike_rule = false\n"
    )
    since = max(each.end_hour for each in series) // 24 * 24 - _DAYS * 24
    instants = as_of_hours(series, since)
    on, off = replay(on_home, instants), replay(off_home, instants)
    plot(picture, series, on, off, since)
    return [verdict(each, on[each.tenant_id], off[each.tenant_id], since) for each in series]


def _import(home: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "commands", "--home", str(home), "import", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def as_of_hours(series: list[Series], since: int) -> list[int]:
    """Every midnight, and every hour right after an hour of a real spike."""
    end = max(each.end_hour for each in series)
    hours = set(range(since, end, 24))
    for each in series:
        hours.update(int(hour) + 1 for hour in each.spike_hours() if hour >= since)
    return sorted(hours)


def replay(home: Path, instants: list[int]) -> dict[str, dict[int, int]]:
    """Tenant -> as-of hour -> served arm, under a policy that always proposes 0.85."""
    from flyball.decision import Mode
    from flyball.home import Home
    from flyball.policies.registry import policy_named
    from ledger.sqlite_ledger import open_ledger
    from serving.deciding import decide_pass, log_pass
    from serving.settings import load_settings

    at = Home(home)
    settings = load_settings(at.settings)
    policy = policy_named("constant", arm=_FRICTION_ARM)
    served: dict[str, dict[int, int]] = {}
    with open_ledger(at) as ledger:
        for number, hour in enumerate(instants):
            done = decide_pass(
                at, ledger, settings, as_of_us=hour * _HOUR_US, mode=Mode.REPLAY, policy=policy
            )
            for decision in log_pass(ledger, done, finished_us=hour * _HOUR_US):
                served.setdefault(decision.tenant_id, {})[hour] = decision.served_arm
            sys.stderr.write(f"\r{home.name}: replayed {number + 1} of {len(instants)} as-of times")
    sys.stderr.write("\n")
    return served


def verdict(each: Series, on: dict[int, int], off: dict[int, int], since: int) -> Verdict:
    """Compare what was served with the real spikes; a spike is known from its second hour on."""
    hours = [int(hour) for hour in each.spike_hours() if hour >= since]
    seen = [hour + 1 for hour in hours if hour + 1 in on]
    within = [arm for hour, arm in on.items() if hour >= each.judged_from_hour]
    return Verdict(
        tenant_id=each.tenant_id,
        base=each.base,
        peak_share=float(each.hourly.max() / each.base),
        spikes=int((np.diff(np.array([-9, *hours])) > 1).sum()),
        seen=len(seen),
        inside_on=sum(on[hour] < 100 for hour in seen),
        inside_off=sum(off[hour] < 100 for hour in seen),
        friction_share=float(np.mean([arm < 100 for arm in within])) if within else 0.0,
    )


def report(verdicts: list[Verdict]) -> None:
    """Print one line a tenant."""
    head = ("tenant", "limit/h", "peak/limit", "spikes", "hours", "rule on", "rule off", "friction")
    print("{:<42}{:>10}{:>11}{:>8}{:>7}{:>9}{:>10}{:>10}".format(*head))
    for v in verdicts:
        print(
            f"{v.tenant_id:<42}{v.base:>10}{v.peak_share:>11.1f}{v.spikes:>8}{v.seen:>7}"
            f"{v.inside_on:>9}{v.inside_off:>10}{v.friction_share:>10.0%}"
        )


def check(verdicts: list[Verdict]) -> int:
    """No friction inside a known spike with the rule on; some with it off."""
    on = sum(v.inside_on for v in verdicts)
    off = sum(v.inside_off for v in verdicts)
    seen = sum(v.seen for v in verdicts)
    print(f"spike hours under friction: {on} of {seen} with the rule on, {off} with it off")
    if not seen or not off:
        print("FAILED: the check could not have failed; there were no spikes under friction.")
        return 1
    if on:
        print("FAILED: friction fell inside a real spike although the spike rule was on.")
        return 1
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
