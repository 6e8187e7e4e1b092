"""The rules in force: guardrails, policy, experiment and money, from the ledger and flyball.toml.

Rules are today's, also for an as-of time in the past: ``--as-of`` says what was *known*, not how
people wanted it decided then. Only experiments have their own times, because draws depend on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flyball.decision import Mode
from flyball.economics import Economics
from flyball.errors import InvalidInput
from flyball.experiment import Experiment
from flyball.guardrail_settings import GuardrailSettings, guardrails_from
from flyball.policies.registry import policy_named
from flyball.policy import Policy
from flyball.round import Round
from ledger.sqlite_ledger import SqliteLedger
from models.bundle import Bundle
from serving.settings import Settings

#: The ledger's name for guardrail settings, and who seeds them.
GUARDRAILS = "guardrails"
SEEDED_BY = "flyball.toml"


def seed_guardrails(ledger: SqliteLedger, settings: Settings, now_us: int) -> bool:
    """Make the file's guardrails the ledger's latest version if the file has changed.

    The first start seeds them; later, an edit of the file is a new version, and what people set
    elsewhere meanwhile stays in force until then. True if a version was added.
    """
    wanted = settings.guardrails.as_mapping()
    versions = ledger.setting_versions(GUARDRAILS)
    from_file = [version for version in versions if version.author == SEEDED_BY]
    if from_file and guardrails_from(from_file[-1].content) == settings.guardrails:
        return False
    reason = "the file was edited" if from_file else "first start"
    put = ledger.put_setting(GUARDRAILS, wanted, author=SEEDED_BY, reason=reason, now_us=now_us)
    return put.created


def guardrails_in_force(ledger: SqliteLedger, settings: Settings) -> GuardrailSettings:
    """The ledger's latest version; the file's where the ledger has none.

    An edit of the file that has not been seeded yet counts: :func:`seed_guardrails` compares.
    """
    versions = ledger.setting_versions(GUARDRAILS)
    from_file = [version for version in versions if version.author == SEEDED_BY]
    if not from_file or guardrails_from(from_file[-1].content) != settings.guardrails:
        return settings.guardrails
    return guardrails_from(versions[-1].content)


def policy_in_force(
    settings: Settings, bundle: Bundle | None, experiment: Experiment | None
) -> Policy:
    """The configured policy with a champion and an experiment; else ``static``."""
    configured = policy_named(settings.policy.name, **settings.policy.params)
    if bundle is None or experiment is None:
        return policy_named("static")
    return configured


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything but tenants and time that a round of deciding needs."""

    guardrails: GuardrailSettings
    policy: Policy
    experiment: Experiment | None
    economics: Economics | None
    settings: Settings

    def round(
        self, *, as_of_us: int, mode: Mode, bundle: Bundle | None, killed: bool = False
    ) -> Round:
        """The round at ``as_of_us``."""
        return Round(
            as_of_us=as_of_us,
            policy=self.policy,
            mode=mode,
            guardrails=self.guardrails,
            grid=self.settings.decisions.grid,
            experiment=self.experiment,
            economics=self.economics,
            period_days=self.settings.decisions.period_days,
            model_version="" if bundle is None else bundle.version,
            feature_hash="" if bundle is None else bundle.manifest.feature_hash,
            killed=killed,
            salt="" if mode is Mode.LIVE else self._salt(),
        )

    def _salt(self) -> str:
        # Tells replays and what-ifs of different rules apart.
        import hashlib

        parts: tuple[Any, ...] = (
            self.policy.name,
            self.policy.version,
            sorted(self.guardrails.as_mapping().items(), key=str),
            self.settings.decisions.arms,
            None if self.experiment is None else (self.experiment.name, self.experiment.epsilon),
        )
        return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def read_rules(
    ledger: SqliteLedger,
    settings: Settings,
    *,
    as_of_us: int,
    bundle: Bundle | None,
    policy: Policy | None = None,
) -> Rules:
    """The rules in force; ``policy`` overrides the configured one."""
    experiment = ledger.experiment_as_of(as_of_us)
    return Rules(
        guardrails=guardrails_in_force(ledger, settings),
        policy=policy or policy_in_force(settings, bundle, experiment),
        experiment=experiment,
        economics=ledger.economics(),
        settings=settings,
    )


def check_bundle(bundle: Bundle, settings: Settings) -> None:
    """Raise InvalidInput if the bundle was trained for other periods than are configured."""
    trained = bundle.manifest.period_days
    if trained != settings.decisions.period_days:
        raise InvalidInput(
            f"Bundle {bundle.version} was trained for periods of {trained} days, but "
            f"decisions.period_days is {settings.decisions.period_days}.",
            "Set it back, or train again.",
            field="decisions.period_days",
        )
