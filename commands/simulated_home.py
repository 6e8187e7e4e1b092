"""A home for one policy of one world: what has been taught, and the policy's own guardrails."""

from __future__ import annotations

import shutil
from pathlib import Path

from commands.simulated_policy import SimulatedPolicy
from flyball.home import Home


def copied_home(taught: Home, root: Path, asked: SimulatedPolicy) -> Home:
    """A copy of ``taught`` at ``root``, a new folder, without what deciding never reads."""
    shutil.copytree(taught.root, root, ignore=shutil.ignore_patterns("mlflow", "rejects"))
    home = Home(root)
    asked.configure(home.settings)
    return home
