"""Work on long texts beside an event loop, in threads of its own.

Pure Python in a thread lets the loop run every few milliseconds, so that a text of megabytes delays no message. The
threads are not those of `asyncio.to_thread`, where a download or the reading of a model may take all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

_threads = ThreadPoolExecutor(2, thread_name_prefix="llmstep-text")


async def aside(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns or raises, from a thread; cancelled before it has begun, it never begins."""
    return await asyncio.get_running_loop().run_in_executor(_threads, functools.partial(work, *args, **kwargs))


def in_this_loop(callback: Callable[P, None]) -> Callable[P, None]:
    """`callback` made callable from any thread: it runs in the loop that runs now, or at once where none does."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return callback

    def hand_on(*args: P.args, **kwargs: P.kwargs) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be called
            loop.call_soon_threadsafe(functools.partial(callback, *args, **kwargs))

    return hand_on
