"""llmstep in a process of its own, held at one of its functions for as long as a test wants.

As a program, `python tests/gated.py MODULE:NAME FOLDER ARGUMENTS...` is `llmstep ARGUMENTS...`, but the calls of NAME
wait while the gate in FOLDER is shut.
"""

from __future__ import annotations

import functools
import importlib
import sys
import time
from pathlib import Path
from typing import Any

from waiting import until, wait_until

SAMPLING = "llmstep.decoder.model:Decoder.sample"
"""The model draws samples."""
LOADING = "llmstep.decoder:load"
"""Weights are read."""


class Gate:
    """A gate in a folder, open at first.

    Args:
        folder: An empty one.
        target: The function that waits.
    """

    def __init__(self, folder: Path, target: str = SAMPLING) -> None:
        self.program = (sys.executable, __file__, target, str(folder))
        self._shut, self._reached = _files(folder)

    def shut(self) -> None:
        self._reached.unlink(missing_ok=True)
        self._shut.touch()

    def open(self) -> None:
        self._shut.unlink(missing_ok=True)

    def wait(self) -> None:
        """Until a call waits at the gate."""
        wait_until(self._reached.exists)

    async def reached(self) -> None:
        await until(self._reached.exists)


def _files(folder: Path) -> tuple[Path, Path]:
    return folder / "shut", folder / "reached"


def _put(target: str, folder: Path) -> None:
    shut, reached = _files(folder)
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner: Any = functools.reduce(getattr, owners, importlib.import_module(module))
    function = getattr(owner, name)

    @functools.wraps(function)
    def waits(*arguments: Any, **more: Any) -> Any:
        if shut.exists():
            reached.touch()
            while shut.exists():
                time.sleep(0.005)
        return function(*arguments, **more)

    setattr(owner, name, waits)


if __name__ == "__main__":
    del sys.path[0]  # the folders here have names of the standard library
    _put(sys.argv[1], Path(sys.argv[2]))
    sys.argv[:] = ["llmstep", *sys.argv[3:]]
    from llmstep.cli import main

    main()
