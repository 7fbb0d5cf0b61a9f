"""Processes as tests look at them: one that was ended is still listed for a moment, first as running, then as dead."""

from __future__ import annotations

from collections.abc import Iterable

import psutil
from waiting import until, wait_until


def runs(process: psutil.Process) -> bool:
    """Whether it is alive; a dead one that nobody has waited for is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def words(process: psutil.Process) -> list[str]:
    """Its command line; empty where it has just ended."""
    try:
        return process.cmdline()
    except (psutil.Error, OSError):
        return []


async def until_gone(processes: Iterable[psutil.Process]) -> None:
    """Wait until none of them is left."""
    found = list(processes)
    await until(lambda: not any(map(runs, found)), failure=f"one of {found} is left")


def wait_until_gone(processes: Iterable[psutil.Process]) -> None:
    """The same without an event loop."""
    found = list(processes)
    wait_until(lambda: not any(map(runs, found)))
