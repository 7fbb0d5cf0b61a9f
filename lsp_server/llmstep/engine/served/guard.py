"""Runs a command for as long as standard input is open, and ends it with all its processes then.

    python -m llmstep.engine.served.guard COMMAND...

Standard input closes when llmstep ends, in whatever way, so that no server outlives it. Only the standard library and
psutil are imported.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable

import psutil

_SECONDS_TO_END = 5.0
NO_COMMAND = 127
"""Status where the command cannot be started; shells use the same."""


def main(words: list[str]) -> int:
    """The command's status; as in shells, 128 more than the number of the signal that ended it."""
    try:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{words[0]}: {error.strerror}", flush=True)  # noqa: T201 - the log of the server
        return NO_COMMAND
    threading.Thread(target=_end_with_input, args=(process.pid,), daemon=True).start()
    status = process.wait()
    return status if status >= 0 else 128 - status


def _end_with_input(pid: int) -> None:
    """When it closes, ask all processes to end, and kill those that do not."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
        _each(psutil.Process.terminate, family)
        _each(psutil.Process.kill, psutil.wait_procs(family, _SECONDS_TO_END)[1])


def _each(end: Callable[[psutil.Process], None], processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            end(process)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
