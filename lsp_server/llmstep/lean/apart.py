"""The Lean servers on an event loop of their own, in a thread beside that of the editor's messages.

Lean sends megabytes about a long file, and what is done with them takes long as well. On a loop of its own that holds
up nothing but Lean's other files.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from llmstep.lean.workspace import LeanWorkspace


class LeanApart(LeanWorkspace):
    """A workspace whose coroutines may be awaited from any loop; functions given to them are called on that loop.

    Cancelling the caller cancels the work. `close` ends the thread.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="llmstep-lean", daemon=True)
        self._thread.start()

    def _start_anew(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(super()._start_anew)

    async def close(self) -> None:
        """Stops all servers for good."""
        try:
            await _apart(LeanWorkspace.close)(self)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)


def _here(value: Any) -> Any:
    """A function as one that may be called from another thread, and runs on the loop that is running now."""
    return functools.partial(asyncio.get_running_loop().call_soon_threadsafe, value) if callable(value) else value


def _apart(method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    @functools.wraps(method)
    async def there(self: LeanApart, *args: Any, **kwargs: Any) -> Any:
        if asyncio.get_running_loop() is self._loop:
            return await method(self, *args, **kwargs)
        named = {name: _here(value) for name, value in kwargs.items()}
        work = method(self, *map(_here, args), **named)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    return there


for _name, _method in vars(LeanWorkspace).items():
    if inspect.iscoroutinefunction(_method) and not _name.startswith("_") and _name not in vars(LeanApart):
        setattr(LeanApart, _name, _apart(_method))
