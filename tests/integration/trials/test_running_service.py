"""``flyball shadow`` and the canary on a running ``flyball serve``."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from flyball.home import Home
from flyball.instant import DAY_US
from ledger.kill import kill_state
from ledger.sqlite_ledger import open_ledger
from models.current import publish, read_current
from models.signature import load_public_key
from tests.integration.robustness.process import Ended, Service, Typed, flyball, serving, until
from tests.integration.training.live_weeks import LATER, live_weeks
from tests.integration.trials.test_rollback_in_the_tree import up
from training.challenger import follow_challenger, place_challenger
from training.registry import CHALLENGER, MODEL_NAME, Registry
from training.tracking import store_of, tracking
from training.withdrawal import Withdrawal, guard

pytestmark = [pytest.mark.train, pytest.mark.slow]


def test_a_shadow_is_started_read_and_stopped_beside_a_running_service(
    home: Home, typed: Typed
) -> None:
    with serving(home.root) as service:
        up(service)
        _decided_by(service, "b1")
        before = {f"ent_{n:02d}": service.decision(f"ent_{n:02d}") for n in range(12)}
        report = _json(flyball(home.root, "shadow", "--wait", "30", "--json"))
        assert (report["champions"], report["challenger"]) == (["b1"], "b2")
        until(lambda: _logged(home) == 12, seconds=20, what=service.said)
        after = {name: service.decision(name) for name in before}
        told = " ".join(typed(home.root, "shadow").out.split())
        assert "12 decisions of 12 organisations" in told
        assert "Insufficient evidence for intervals" in told
        assert "ms a decision" in told
        status = " ".join(typed(home.root, "status").out.split())
        assert "b2, 12 decisions compared, canary off" in status
        assert "taken away" in typed(home.root, "shadow", "--stop").out
        assert _json(typed(home.root, "shadow", "--report", "--json"))["decisions"] == 12
    for name, decision in before.items():
        for field in ("decisionId", "dynamicMultiplier", "upsellProbability", "modelVersion"):
            assert after[name][field] == decision[field]


def test_the_canary_is_turned_on_and_off_while_the_service_runs(home: Home, typed: Typed) -> None:
    settings = home.settings.read_text()
    with serving(home.root) as service:
        up(service)
        _decided_by(service, "b1")
        assert typed(home.root, "shadow").code == 0
        home.settings.write_text(settings + "\n[canary]\nshare = 0.5\n")
        names = [f"ent_{n:02d}" for n in range(12)]

        def models() -> set[str]:
            return {service.decision(name)["modelVersion"] for name in names}

        until(lambda: models() == {"b1", "b2"}, seconds=30, what=service.said)
        status = json.loads(typed(home.root, "status", "--json").out)["challenger"]
        assert (status["canaryShare"], status["canaryInForce"]) == (0.5, True)
        home.settings.write_text(settings)
        until(lambda: models() == {"b1"}, seconds=30, what=service.said)


def test_the_trial_follows_the_alias_and_ends_with_it(home: Home) -> None:
    from features.catalogue import feature_hash

    known = feature_hash()
    assert follow_challenger(home, known) == ""
    place_challenger(home, known)
    assert follow_challenger(home, known) == ""
    with tracking(store_of(home)) as client:
        client.set_registered_model_alias(MODEL_NAME, CHALLENGER, "1")
    assert "b0" in follow_challenger(home, known)
    with tracking(store_of(home)) as client:
        client.delete_registered_model_alias(MODEL_NAME, CHALLENGER)
    assert "ended" in follow_challenger(home, known)
    assert read_current(home.challenger) is None


def test_a_bundle_from_a_directory_is_left_alone(home: Home, failed: Path, typed: Typed) -> None:
    from features.catalogue import feature_hash

    assert typed(home.root, "shadow", "--bundle", str(failed)).code == 0
    assert follow_challenger(home, feature_hash()) == ""
    pointer = read_current(home.challenger)
    assert pointer is not None
    assert pointer.version == "b3"


def test_harm_in_the_canary_costs_the_challenger_and_not_the_champion(
    home: Home, typed: Typed
) -> None:
    from features.catalogue import feature_hash

    known = feature_hash()
    place_challenger(home, known)
    champion = Registry(store_of(home)).holder("champion")
    live_weeks(home, acted_churn=0.15, model_version="b2")
    found = guard(home, known, now_us=LATER)
    assert isinstance(found, Withdrawal)
    assert found.withdrawn is not None
    assert found.withdrawn.bundle == "b2"
    assert kill_state(home) is not None
    assert read_current(home.challenger) is None
    assert Registry(store_of(home)).holder("champion") == champion
    with open_ledger(home) as ledger:
        (notice,) = ledger.notices()
    assert (notice.kind, notice.subject) == ("canary_withdrawn", "b2")
    assert not isinstance(guard(home, known, now_us=LATER + DAY_US), Withdrawal)
    refused = typed(home.root, "shadow")
    assert refused.code == 3
    assert "harm" in refused.err


def test_without_a_challenger_the_command_says_what_to_do(home: Home, typed: Typed) -> None:
    with tracking(store_of(home)) as client:
        client.delete_registered_model_alias(MODEL_NAME, CHALLENGER)
    missing = typed(home.root, "shadow")
    assert (missing.code, missing.calm) == (2, True)
    assert "--bundle" in missing.err
    assert typed(home.root, "shadow", "--report").code == 2
    publish(
        home.mlflow / "made" / "b2" / "data" / "b2",
        home.challenger,
        load_public_key(home.verify_key),
        published_us=time.time_ns() // 1_000,
    )
    assert "nothing was logged yet" in typed(home.root, "shadow", "--report").out


def _decided_by(service: Service, version: str) -> None:
    """Wait until gateways are answered with what a model has decided."""
    until(
        lambda: service.decision("ent_00")["modelVersion"] == version,
        seconds=60,
        what=service.said,
    )


def _json(said: Ended) -> dict[str, object]:
    assert said.code == 0, said.err
    found: dict[str, object] = json.loads(said.out)
    return found


def _logged(home: Home) -> int:
    with open_ledger(home) as ledger:
        return len(ledger.shadow_decisions("b2", now_us=0))
