"""People see the reasons, the factors with their change, and what each arm would change."""

from __future__ import annotations

from ledger.explanations import ArmView, Evidence, Explanations
from tests.integration.service.running import Service


def evidence(decision: str, consumption: float) -> Evidence:
    return Evidence(
        decision_id=decision,
        as_of_us=1_767_571_200_000_000,
        model_version="3",
        proposed_arm=85,
        contributions={
            "upgrade": {"consumption": consumption, "support": -0.1},
            "churn": {"consumption": -0.2, "support": 0.4},
        },
        arms=[
            ArmView(70, "none", 0.2, None, None, None, None, None),
            ArmView(85, "segment", 0.1, 0.9, 0.1, 0.01, 0.02, 0.05),
            ArmView(100, "personal", 0.0, 0.8, 0.0, 0.03, 0.0, 0.95),
        ],
        features={"demand_sum_7d": 100.0 * consumption, "seats": None},
    )


def test_without_a_model_there_are_reasons_only(service: Service) -> None:
    with service.client() as client:
        body = client.get("/v1/decisions/key_1/explanation").json()
    assert body["tenantId"] == "ent_1"
    assert body["evidence"] is None
    assert body["reasons"][0]["code"] == "upgrade_effect_outweighs_churn"
    assert len(body["reasons"][0]["text"]) > 20


def test_factors_come_with_their_change_since_the_decision_before(service: Service) -> None:
    with Explanations(service.home.explanations) as file:
        file.put([("ent_1", evidence("d_1", 0.5))])
        file.put([("ent_1", evidence("d_2", 0.9))])
        file.put([("ent_1", evidence("d_2", 1.0))])
    with service.client() as client:
        told = client.get("/v1/decisions/ent_1/explanation").json()["evidence"]
    assert told["comparedWith"] == "d_1"
    assert told["upgradeFactors"][0] == {
        "factor": "consumption",
        "contribution": 1.0,
        "change": 0.5,
    }
    assert told["churnFactors"][0]["factor"] == "support"
    assert told["changedFeatures"] == [{"feature": "demand_sum_7d", "before": 50.0, "now": 100.0}]


def test_the_what_if_says_where_evidence_is_insufficient(service: Service) -> None:
    with Explanations(service.home.explanations) as file:
        file.put([("ent_1", evidence("d_1", 0.5))])
    with service.client() as client:
        arms = client.get("/v1/decisions/ent_1/explanation").json()["evidence"]["arms"]
    assert arms[0]["evidence"] == "insufficient evidence"
    assert arms[0]["upsellProbability"] is None
    assert arms[1]["upsellProbability"]["high"] == 1.0
    assert arms[1]["churnProbability"]["low"] == 0.0
    assert arms[2]["evidence"] == "reference"


def test_a_stranger_and_an_unknown_tenant_get_no_explanation(service: Service) -> None:
    with service.client() as client:
        assert client.get("/v1/decisions/nobody/explanation").status_code == 404
        assert client.get("/v1/decisions/../explanation").status_code in (404, 422)
