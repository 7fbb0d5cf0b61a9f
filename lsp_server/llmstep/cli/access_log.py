"""Where the access log of `llmstep serve` goes."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from llmstep.errors import SettingsError

_MAX_WAITING = 1000
_SECONDS_TO_END = 1.0


@contextlib.contextmanager
def opened_log(path: Path | None) -> Iterator[Callable[[str], object] | None]:
    """What takes the lines of the access log: a file that grows, stderr (`-`), or nothing.

    Raises:
        SettingsError: The file cannot be written.
    """
    if path is None:
        yield None
        return
    if str(path) == "-":
        with _Lines(sys.stderr) as lines:
            yield lines
        return
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"The access log {path} cannot be written: {error.strerror}.", hint="Give a file in a folder of your own."
        ) from None
    with file, _Lines(file) as lines:
        yield lines


class _Lines:
    """Writes lines in a thread; where nobody takes them, lines are lost and the server goes on."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._waiting: queue.Queue[str | None] = queue.Queue(_MAX_WAITING)
        self._thread = threading.Thread(target=self._write, name="llmstep-access-log", daemon=True)

    def __enter__(self) -> _Lines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(_SECONDS_TO_END)

    def __call__(self, line: str) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(line)

    def _write(self) -> None:
        while (line := self._waiting.get()) is not None:
            with contextlib.suppress(OSError, ValueError):
                self._file.write(line + "\n")
                if self._waiting.empty():
                    self._file.flush()
