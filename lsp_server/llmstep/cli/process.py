"""Running a coroutine as a whole program, and ending the program at once.

A library call in the model's thread (importing torch, reading weights) cannot be interrupted, and neither `asyncio.run`
nor the interpreter's own end returns before it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from llmstep.settings import Settings

if TYPE_CHECKING:
    from llmstep.app import App

T = TypeVar("T")

_SECONDS_TO_CLOSE = 1.0


def run(main: Coroutine[Any, Any, T], *, status: int | None = None, terminated: Callable[[], bool] | None = None) -> T:
    """What `main` returns or raises. SIGINT and SIGTERM cancel it; when it has cleaned up, the process ends.

    Args:
        status: Exit status after a signal; None means that of shells, 128 and the signal's number.
        terminated: Called with the first SIGTERM; when it says True, `main` ends by itself and is not cancelled.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(main)
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        if terminated is not None and received == [signal.SIGTERM] and terminated():
            return
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C is a KeyboardInterrupt there
            loop.add_signal_handler(number, stop, number)
    try:
        return loop.run_until_complete(task)
    except (asyncio.CancelledError, KeyboardInterrupt):
        end_now(128 + (received or [signal.SIGINT])[0] if status is None else status)
    finally:
        loop.close()  # does not wait for threads, unlike asyncio.run


def end_now(status: int) -> NoReturn:
    """Leave without waiting for threads."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # a full disk, or a pipe that nobody reads any more
            stream.flush()
    os._exit(status)


@contextlib.asynccontextmanager
async def an_app(settings: Settings, *, lean_premises: bool = True) -> AsyncIterator[App]:
    """An application that is gone afterwards; a model's thread that does not end within a second is left behind."""
    from llmstep.app import App

    app = App(settings, lean_premises=lean_premises)
    try:
        yield app
    finally:
        await app.lean.close()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(app.engine.close(), _SECONDS_TO_CLOSE)
