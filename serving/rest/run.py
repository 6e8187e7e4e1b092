"""Blocking work of a route, off the event loop so that lookups never wait for a store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result]) -> Result:
    """Run ``work`` in a worker thread and return or raise what it does."""
    return await asyncio.get_running_loop().run_in_executor(None, work)
