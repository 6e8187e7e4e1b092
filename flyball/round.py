"""A round of deciding: what is the same for every tenant at one as-of time."""

from __future__ import annotations

from dataclasses import dataclass, field

from flyball.arm import ArmGrid
from flyball.decision import Mode
from flyball.economics import Economics
from flyball.errors import InvalidInput
from flyball.experiment import Experiment
from flyball.guardrail_settings import DEFAULT_GUARDRAILS, GuardrailSettings
from flyball.instant import check_instant, period_start
from flyball.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What :func:`flyball.deciding.decide_all` needs besides the tenants.

    Parameters
    ----------
    as_of_us:
        Nothing after it may have entered any case.
    policy:
        See :mod:`flyball.policies.registry`.
    mode:
        ``live``, ``replay`` or ``what_if``.
    experiment:
        The experiment that has been started; None means that nothing is drawn.
    economics:
        None where ``economics.json`` is missing.
    period_days:
        1..28.
    model_version, feature_hash:
        Of the bundle behind the outlooks; empty without one.
    killed:
        Whether the kill switch is on.
    salt:
        Part of the decisions' names, to tell several what-ifs apart.

    Raises
    ------
    InvalidInput
        A value out of range, or an epsilon too large for the grid.
    """

    as_of_us: int
    policy: Policy
    mode: Mode = Mode.LIVE
    guardrails: GuardrailSettings = DEFAULT_GUARDRAILS
    grid: ArmGrid = field(default_factory=ArmGrid)
    experiment: Experiment | None = None
    economics: Economics | None = None
    period_days: int = 7
    model_version: str = ""
    feature_hash: str = ""
    killed: bool = False
    salt: str = ""
    period_start_us: int = field(init=False)

    def __post_init__(self) -> None:
        check_instant(self.as_of_us, field="as_of")
        if not 1 <= self.period_days <= 28:
            raise InvalidInput(
                f"period_days {self.period_days} must lie in 1..28.", field="period_days"
            )
        if self.experiment is not None:
            self.experiment.check_arms(len(self.grid.arms))
        object.__setattr__(self, "period_start_us", period_start(self.as_of_us, self.period_days))
