"""Waiting for what others do: until it is so, or until far more time has passed than it takes."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 60.0
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


def wait_until(condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """The same without an event loop."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, FAILURE
        time.sleep(PAUSE)
    return value
