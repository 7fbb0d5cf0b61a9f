"""Where the access log of `llmstep serve` goes."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from llmstep.errors import SettingsError

_MAX_WAITING = 1000
_SECONDS_TO_END = 1.0


@contextlib.contextmanager
def opened_log(path: Path | None) -> Iterator[Callable[[str], object] | None]:
    """What takes the lines of the access log: a file that grows, stderr (`-`), or nothing.

    A thread writes them; where nobody takes them, lines are lost and the server goes on.

    Raises:
        SettingsError: The file cannot be written.
    """
    if path is None:
        yield None
        return
    try:
        file = sys.stderr if str(path) == "-" else path.open("a", encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"The access log {path} cannot be written: {error.strerror}.", hint="Give a file in a folder of your own."
        ) from None
    waiting: queue.Queue[str | None] = queue.Queue(_MAX_WAITING)

    def take(line: str | None) -> None:
        with contextlib.suppress(queue.Full):
            waiting.put_nowait(line)

    def write() -> None:
        while (line := waiting.get()) is not None:
            with contextlib.suppress(OSError, ValueError):
                file.write(line + "\n")
                if waiting.empty():
                    file.flush()

    thread = threading.Thread(target=write, name="llmstep-access-log", daemon=True)
    thread.start()
    try:
        yield take
    finally:
        take(None)
        thread.join(_SECONDS_TO_END)
        if file is not sys.stderr and not thread.is_alive():
            file.close()
