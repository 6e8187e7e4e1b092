"""Everything that ``flyball status`` tells, part by part; one broken part hides no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from commands.usage_report import usage_report
from flyball.decision import Mode
from flyball.errors import FlyballError
from flyball.home import Home
from flyball.instant import format_instant

Report = dict[str, Any]


def home_report(home: Home, now_us: int) -> Report:
    """The home as JSON can hold it.

    ``notes`` says what is not there yet, ``unreadable`` what is there but cannot be read.
    """
    notes: list[str] = []
    unreadable: list[str] = []

    def part(read: Callable[[Home, int], Any]) -> Any:
        try:
            return read(home, now_us)
        except FlyballError as error:
            unreadable.append(str(error))
            return None

    if not home.root.is_dir():
        notes.append(
            f"There is no home at {home.root}. Start with: flyball import DIR, or flyball demo."
        )
    ledger = part(_ledger) or {}
    return {
        "home": str(home.root),
        "at": format_instant(now_us),
        "tenants": ledger.get("tenants"),
        "plans": ledger.get("plans"),
        "usage": part(lambda home, _: usage_report(home)),
        "decisions": ledger.get("decisions"),
        "lastRun": ledger.get("lastRun"),
        "bundle": part(_bundle),
        "challenger": part(_challenger),
        "snapshot": part(_snapshot),
        "killSwitch": _kill_switch(home),
        "experiment": ledger.get("experiment"),
        "overrides": ledger.get("overrides"),
        "notices": ledger.get("notices"),
        "webhooks": ledger.get("webhooks"),
        "notes": notes,
        "unreadable": unreadable,
    }


def _ledger(home: Home, now_us: int) -> Report | None:
    from commands.experiment import describe
    from ledger.sqlite_ledger import read_ledger
    from serving.webhooks.notices import notice_json, outbox_json

    if not home.ledger.exists():
        return None
    with read_ledger(home) as ledger:
        # A home that is fed with history may live in another time than the wall clock.
        runs = [run for mode in Mode if (run := ledger.last_run(mode)) is not None]
        last = max(runs, key=lambda run: run.finished_us, default=None)
        running = [run for run in ledger.experiments() if run.stopped_us is None]
        return {
            "tenants": len(ledger.tenants_created()),
            "plans": len(ledger.plans_as_of(now_us)),
            "decisions": ledger.decision_counts(),
            "lastRun": None
            if last is None
            else {
                "asOf": format_instant(last.as_of_us),
                "finishedAt": format_instant(last.finished_us),
                "mode": last.mode.value,
                "tenants": last.tenants,
                "durationMs": last.duration_ms,
                "policy": last.policy,
                "bundleVersion": last.bundle_version,
            },
            "experiment": describe(running[0]) if running else None,
            "overrides": len(ledger.overrides(active_at_us=now_us)),
            "notices": [notice_json(notice) for notice in ledger.notices()],
            "webhooks": outbox_json(ledger.outbox_counts()),
        }


def _bundle(home: Home, _: int) -> Report | None:
    from models.current import read_current

    pointer = read_current(home.bundles)
    if pointer is None:
        return None
    return {
        "version": pointer.version,
        "createdAt": format_instant(pointer.created_us),
        "publishedAt": format_instant(pointer.published_us),
        "rollback": pointer.rollback,
    }


def _challenger(home: Home, _: int) -> Report | None:
    """What is tried beside the champion, and for what share it decides."""
    from ledger.sqlite_ledger import read_ledger
    from serving.settings import load_settings
    from serving.shadow.challenger import open_challenger, why_not

    settings = load_settings(home.settings)
    bundle = open_challenger(home, settings, probe=False)
    share = settings.canary.share
    if bundle is None and share == 0.0:
        return None
    refused = "there is no challenger"
    logged = 0
    if bundle is not None and home.ledger.exists():
        with read_ledger(home) as ledger:
            refused = why_not(bundle.manifest, ledger)
            logged = ledger.shadow_cost(bundle.version).tenants
    return {
        "version": None if bundle is None else bundle.version,
        "shadowDecisions": logged,
        "canaryShare": share,
        "canaryInForce": share > 0.0 and not refused,
        "canaryRefused": refused if share > 0.0 else "",
    }


def _snapshot(home: Home, now_us: int) -> Report | None:
    from models.signature import load_public_key
    from serving.snapshot.reader import SnapshotReader

    if not home.snapshot.is_dir() or not home.verify_key.exists():
        return None
    reader = SnapshotReader(home.snapshot, load_public_key(home.verify_key), kill=home.kill)
    reader.refresh()
    if reader.error is not None:
        raise reader.error
    created_us = reader.created_us
    if created_us is None:
        return None
    return {
        "version": str(reader.version),
        "tenants": reader.tenants,
        "createdAt": format_instant(created_us),
        "ageSeconds": max(0, now_us - created_us) / 1e6,
        "source": reader.rung(now_us).value,
    }


def _kill_switch(home: Home) -> Report:
    from ledger.kill import kill_state

    found = kill_state(home)
    if found is None:
        return {"on": False}
    since = None if found.since_us is None else format_instant(found.since_us)
    return {"on": True, "author": found.author, "reason": found.reason, "since": since}
