"""Statements under other names: how much a model leans on what things are called.

As a program: ``python -m starter.renamed theorems.jsonl --lean LEAN >renamed.jsonl`` gives every local and bound name
of the statements an invented one.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from llmstep.catalog.local_names import LocalNames, local_names
from starter.lean_run import first_goals
from starter.names import invented
from starter.pools import KEYWORDS

if TYPE_CHECKING:
    from collections.abc import Sequence


def renamed(statement: str, goal: str, rng: Random) -> str:
    """The statement with an invented name for each local and bound name of its goal.

    Args:
        statement: ``binders : goal`` of an `example`.
        goal: What Lean prints for it.
    """
    new: dict[str, str] = {}
    for name in local_names(goal).plain:
        while (chosen := invented(rng)) in new.values() or chosen in KEYWORDS:
            pass
        new[name] = chosen
    return LocalNames(new).hidden(statement)


def renamed_lines(lines: Sequence[str], lean: Sequence[str], seed: int) -> list[str]:
    """The lines of a file of theorems with renamed statements, and names that say so.

    Raises:
        ValueError: Lean does not accept a statement.
    """
    records = [json.loads(line) for line in lines]
    goals = first_goals(lean, [record["statement"] for record in records])
    rng = Random(seed)
    for record, goal in zip(records, goals, strict=True):
        record["statement"] = renamed(record["statement"], goal, rng)
        record["name"] += "-renamed"
    first_goals(lean, [record["statement"] for record in records])
    return [json.dumps(record, ensure_ascii=False) for record in records]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("theorems", type=Path)
    parser.add_argument("--lean", default="lean", help="command that runs Lean")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    lines = given.theorems.read_text(encoding="utf-8").splitlines()
    sys.stdout.writelines(line + "\n" for line in renamed_lines(lines, shlex.split(given.lean), given.seed))


if __name__ == "__main__":
    main()
