"""Waiting for what others do: until it is so, or until far more time has passed than it takes."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 120.0
PAUSE = 0.01
FAILURE = "it did not come to that"


async def until(
    condition: Callable[[], Any], seconds: float = SECONDS, *, pause: float = PAUSE, failure: str = FAILURE
) -> Any:
    """The condition's value, once it is true; it may have to be awaited."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, failure
        await asyncio.sleep(pause)


async def until_busy(*pids: int) -> None:
    """Wait until these processes have worked for a moment from now on."""

    def worked() -> float:
        return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)

    before = worked()
    await until(lambda: worked() > before + 0.1)


def wait_until(condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """The same without an event loop."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, FAILURE
        time.sleep(PAUSE)
    return value
