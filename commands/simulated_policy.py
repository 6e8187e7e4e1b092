"""The product's policies as a grid names them: ``value``, ``value@0.6``, ``reckless``.

``NAME@PERCENT`` plays a policy under another harm budget (``none``: without one), which is how a
frontier of value against harm is drawn. ``reckless`` tightens everybody as far as guardrails let
it, without a harm budget: the product's own watch should notice, and the grid says after how long.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flyball.errors import InvalidInput
from flyball.policies.registry import policy_named
from flyball.policy import Policy

RECKLESS = "reckless"
_TIGHTEST = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPolicy:
    """A policy of the product and the guardrails that its home is given.

    ``harm_budget`` is what ``flyball.toml`` would say (a share, or the word none); None leaves the
    default.
    """

    policy: Policy
    harm_budget: float | str | None = None

    def settings(self) -> str:
        """What is added to ``flyball.toml``."""
        if self.harm_budget is None:
            return ""
        budget = self.harm_budget
        shown = f'"{budget}"' if isinstance(budget, str) else f"{budget:g}"
        return f"[guardrails]\nharm_budget = {shown}\n"

    def configure(self, path: Path) -> None:
        """Add the settings to the file of a home that was made for this policy."""
        if self.settings():
            before = path.read_text("utf-8") if path.exists() else ""
            path.write_text(before + self.settings(), "utf-8")


def simulated_policy(word: str) -> SimulatedPolicy:
    """The policy that a grid calls ``word``.

    Raises
    ------
    InvalidInput
        There is none, or what follows the ``@`` is no budget.
    """
    if word == RECKLESS:
        return SimulatedPolicy(policy=policy_named("constant", arm=_TIGHTEST), harm_budget="none")
    name, at, text = word.partition("@")
    return SimulatedPolicy(policy=policy_named(name), harm_budget=_budget(text) if at else None)


def _budget(text: str) -> float | str:
    if text == "none":
        return text
    try:
        percent = float(text)
    except ValueError:
        percent = -1.0
    if not 0.0 <= percent <= 100.0:
        raise InvalidInput(
            f"{text[:32]!r} is not a harm budget in percent.",
            "Write it like value@0.6, or value@none for no budget.",
            field="policies",
        )
    return percent / 100.0
