"""Which bundle the control loop decides with, and what it does without one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from flyball.decision import Mode
from flyball.home import Home
from flyball.instant import SECOND_US
from ledger.sqlite_ledger import SqliteLedger
from models.signature import load_public_key
from serving.control_loop import ControlLoop
from serving.settings import Settings
from serving.snapshot.reader import SnapshotReader
from tests.integration.deciding.looping import ALL_TIGHT, Clock, served


def test_a_bad_bundle_keeps_the_one_in_use(
    loop: ControlLoop, reader: SnapshotReader, trained: Home, clock: Clock
) -> None:
    loop.tick()
    shutil.copytree(trained.bundles / "b1", trained.bundles / "b2")
    (trained.bundles / "b2" / "card.md").write_text("altered")
    pointer = json.loads((trained.bundles / "current.json").read_text())
    (trained.bundles / "current.json").write_text(json.dumps(pointer | {"version": "b2"}))
    clock.at_us += SECOND_US
    assert loop.tick() == 0
    assert served(reader, "ent_01")["modelVersion"] == "b1"


def test_an_older_bundle_is_refused_unless_going_back_was_on_purpose(
    trained: Home, loop: ControlLoop, clock: Clock, kit: Any, older_bundle: Path
) -> None:
    loop.tick()
    pointer = json.loads((trained.bundles / "current.json").read_text())
    older = json.loads((older_bundle / "manifest.json").read_text())["created_us"]
    shutil.copytree(older_bundle, trained.bundles / "b0")
    for rollback, used in ((False, "b1"), (True, "b0")):
        changed = pointer | {"version": "b0", "created_us": older, "rollback": rollback}
        (trained.bundles / "current.json.new").write_text(json.dumps(changed))
        (trained.bundles / "current.json.new").replace(trained.bundles / "current.json")
        loop.tick()
        with SqliteLedger(trained.ledger) as ledger:
            run = ledger.last_run(Mode.LIVE)
        assert run is not None
        assert run.bundle_version == used


def test_without_champion_or_experiment_everybody_keeps_the_plan(
    home: Home, clock: Clock, kit: Any
) -> None:
    with ControlLoop(home, ALL_TIGHT, clock) as loop:
        loop.tick()
    reader = SnapshotReader(home.snapshot, load_public_key(home.verify_key))
    for name in kit.tenants:
        assert served(reader, name)["dynamicMultiplier"] == 1.0
        assert served(reader, name)["policy"] == "static"


def test_an_empty_home_is_served_too(tmp_path: Path, clock: Clock) -> None:
    home = Home(tmp_path / "empty")
    home.root.mkdir()
    with ControlLoop(home, Settings(), clock) as loop:
        assert loop.tick() == 0
    reader = SnapshotReader(home.snapshot, load_public_key(home.verify_key))
    assert served(reader, "anybody")["source"] == "unknown_tenant"
