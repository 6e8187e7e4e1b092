"""``python -m simulation``: write a history, or live on by one week."""

from __future__ import annotations

import sys

from simulation.command_line import main

sys.exit(main(sys.argv[1:]))
