"""Proofs that ask, and the programs that carry what they ask."""

from __future__ import annotations

import os
from pathlib import Path

AND = "theorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n"


def curls() -> list[list[str]]:
    """The arguments of the curl processes that descend from this one."""
    parents, arguments = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
            arguments[int(folder.name)] = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
        except OSError:
            continue

    def ours(process: int) -> bool:
        while process in parents and process != os.getpid():
            process = parents[process]
        return process == os.getpid()

    return [a for p, a in arguments.items() if a and Path(a[0]).name == "curl" and ours(p)]
