"""Python's collection of garbage, when nobody waits.

A collection goes through objects by the million where the layout of a long file is being read, and no thread runs
meanwhile. So Python begins none by itself; what it would find is little, as most objects go when nobody has them.
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


class Upkeep:
    """Collects garbage in a pause after work.

    Args:
        busy: Whether there is work that needs no message.
    """

    def __init__(self, busy: Callable[[], bool]) -> None:
        self._busy = busy
        self._last = time.monotonic()
        self._clean = False

    @staticmethod
    def begin() -> None:
        """Leave collections to `run`; for a process that serves one editor."""
        gc.disable()

    def touch(self) -> None:
        """A message came."""
        self._last = time.monotonic()
        self._clean = False

    async def run(self) -> None:
        """Look every few seconds whether there is a pause; never ends by itself."""
        while True:
            await asyncio.sleep(_PAUSE)
            rests = not self._clean and not self._busy() and time.monotonic() - self._last >= _PAUSE
            if rests or gc.get_count()[0] > _MAX:
                gc.collect()
                self._clean = rests
