"""Proofs that ask, and the programs that carry what they ask."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AND = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n"


def eventually(holds: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return False


def curls() -> list[list[str]]:
    """The arguments of the curl processes that descend from this one."""
    parents, arguments = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
            arguments[int(folder.name)] = (folder / "cmdline").read_bytes().decode().split("\0")[:-1]
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
        except OSError:
            continue

    def ours(process: int) -> bool:
        while process in parents and process != os.getpid():
            process = parents[process]
        return process == os.getpid()

    return [a for p, a in arguments.items() if a and Path(a[0]).name == "curl" and ours(p)]
