"""Runs a command for as long as its parent lives: when stdin closes, the command and all that it has started is ended.

That of a test run closes however the run ends, so that no workbench, extension host or companion outlives it.
"""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys

import psutil

SECONDS = 10.0
"""How long processes have to end by themselves."""


def main() -> int:
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    while command.poll() is None:
        if select.select([sys.stdin], [], [], 0.2)[0]:
            end(psutil.Process().children(recursive=True))
    return command.wait()


def end(processes: list[psutil.Process]) -> None:
    """Ask processes to end, then make them."""
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.terminate()
    _, alive = psutil.wait_procs(processes, SECONDS)
    for each in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()


if __name__ == "__main__":
    sys.exit(main())
