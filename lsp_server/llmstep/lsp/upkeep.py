"""Python's collection of garbage, when nobody waits.

A collection goes through objects by the million where the layout of a long file is being read, and no thread runs
meanwhile. So `llmstep lsp` turns Python's own collections off; what they would find is little, as most objects go when
nobody has them.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable

_PAUSE = 5.0
"""Seconds without a message."""
_MAX = 3_000_000
"""Without a pause it is done all the same when there are so many new objects."""


async def collect_in_pauses(last_message: Callable[[], float], busy: Callable[[], bool]) -> None:
    """Look every few seconds whether there is a pause; never ends by itself.

    Args:
        last_message: When the last one came, by `time.monotonic`.
        busy: Whether there is work that needs no message.
    """
    collected = 0.0
    while True:
        await asyncio.sleep(_PAUSE)
        last = last_message()
        rests = last > collected and not busy() and time.monotonic() - last >= _PAUSE
        if rests or gc.get_count()[0] > _MAX:
            gc.collect()
            collected = time.monotonic()
