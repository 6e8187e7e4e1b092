"""The process that started this one, and ending with it."""

from __future__ import annotations

import ctypes
import signal
from contextlib import suppress

#: prctl(2), Linux.
_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM once our parent has ended, however it does, also by SIGKILL.

    Linux only; elsewhere nothing happens. One that ended before is not told of: whoever must know
    compares ``os.getppid()`` afterwards.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
